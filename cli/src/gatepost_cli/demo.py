"""Ready-made demo credentials, printed by `up`: an app and a user that a newcomer can try everything with.

`up` runs this module as a process of its own (`python -m gatepost_cli.demo DATA_DIR`) when everything is ready: the
supervisor forks, and must not hold gRPC's threads. What it answers is remembered, so that a second start does not
ask again. Ids and password are written down before anything is made, so that an interrupted start goes on with the
same ones.
"""

import json
import secrets
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

from gatepost.auth.v1.accounts_pb2 import CreateAccountRequest, NewProfile
from gatepost.auth.v1.apps_pb2 import CreateAppRequest
from gatepost_cli import private_json, services, stack
from gatepost_cli.commands.options import DEFAULT_PROJECT
from gatepost_cli.data_dir import DataDir
from gatepost_cli.errors import CommandFailed
from gatepost_cli.operate import Rpc, operate_on
from runtime.errors import GatepostError, Reason

APP = "demo"
EMAIL = "demo@example.com"
SCOPES = ("profile", "email")


@dataclass(frozen=True)
class Intent:
    """What is going to be made."""

    app_id: str
    user_id: str
    password: str


def ensure(running: stack.Stack) -> dict[str, str]:
    """Make the demo app and user if they are missing; return what to show, label -> value, in order.

    Raises:
        CommandFailed: a service refuses.
    """
    intent = _intent(running.data_dir)
    app = CreateAppRequest(id=intent.app_id, project=DEFAULT_PROJECT, name=APP, scopes=SCOPES, allow_query_secret=True)
    user = CreateAccountRequest(
        user_id=intent.user_id,
        project=DEFAULT_PROJECT,
        email=EMAIL,
        password=intent.password,
        profile=NewProfile(first_name="Demo", last_name="User"),
    )

    async def work(rpc: Rpc) -> dict[str, str]:
        made = await rpc.apps.CreateApp(app)
        password = intent.password
        try:
            await rpc.accounts.CreateAccount(user)
        except GatepostError as error:
            if error.reason is not Reason.EMAIL_TAKEN:
                raise
            password = "as it was set when this user was made"  # noqa: S105  a remark in its place
        return {
            "client_id": made.app.client_id,
            "client_secret": made.client_secret,
            "email": EMAIL,
            "password": password,
        }

    return operate_on(services.of(running), work)


def _intent(data_dir: DataDir) -> Intent:
    document = private_json.read(data_dir.demo) or {}
    if planned := document.get("intent"):
        return Intent(**planned)
    intent = Intent(app_id=str(uuid4()), user_id=str(uuid4()), password=secrets.token_urlsafe(12))
    private_json.write(data_dir.demo, {"intent": asdict(intent)})
    return intent


if __name__ == "__main__":
    try:
        json.dump(ensure(stack.load(Path(sys.argv[1]))), sys.stdout)
    except CommandFailed as failure:
        sys.exit(failure.message)
