"""Somebody with one of everything, whose things nobody else is to see or change."""

import json
from dataclasses import dataclass
from uuid import uuid4

from dialects.own_pages import Visit
from drawn import plain
from security.databases import Databases
from security.page_forms import device_of, grant_of
from security.world import World

from gatepost.auth.v1 import accounts_pb2
from gatepost_cli.operate import Rpc


@dataclass(frozen=True)
class Victim:
    """Somebody with an app, a grant, sessions of every form, a device and pictures.

    Args:
        visit: His browser.
        user_id: UUID.
        number: Of his profile.
        public_id: Likewise.
        name: A word that stands in his profile and in his app, and nowhere else.
        client_id: Of the app he owns.
        ids: Of everything that is his, by `database.table`.
    """

    visit: Visit
    user_id: str
    number: str
    public_id: str
    name: str
    client_id: str
    ids: dict[str, list[str]]

    @property
    def words(self) -> list[str]:
        """What only he and his friends know."""
        return [self.name, self.user_id, self.public_id, self.visit.person.email, *self.everything]

    @property
    def everything(self) -> list[str]:
        """Every id."""
        return [each for ids in self.ids.values() for each in ids]


async def make_victim(world: World, rpc: Rpc, databases: Databases) -> Victim:
    """Make somebody in the project without second step."""
    visit, name = await world.visit(), f"canary{uuid4().hex[:12]}"
    await visit.send("/account/profile", first_name=name, biography=name)
    await visit.upload("/account/picture", "/account", {"picture": plain()})
    client_id, _ = await visit.create_app(name=name)
    await grant_of(visit)
    await device_of(world, visit)
    await world.ihopr.signed_in_again(world.app, visit.person)
    asked = accounts_pb2.EmailRef(project=world.app.project, email=visit.person.email)
    found = await rpc.accounts.GetAccount(accounts_pb2.GetAccountRequest(account=accounts_pb2.AccountRef(email=asked)))
    user_id = found.account.user_id
    about = await databases.about([user_id])
    (profile,) = (json.loads(row) for row in about["users.profiles"])
    ids = {
        table: [str(row["id"]) for row in map(json.loads, rows) if user_id in _owners(row)]
        for table, rows in about.items()
        if not table.endswith("audit_events")
    }
    (app_id,) = ids["auth.apps"]
    secrets = [json.loads(row) for row in (await databases.about([app_id]))["auth.app_secrets"]]
    ids["auth.app_secrets"] = [str(row["id"]) for row in secrets]
    return Victim(visit, user_id, str(profile["number"]), profile["public_id"], name, client_id, ids)


def _owners(row: dict[str, str]) -> set[str]:
    return {row[name] for name in ("account_id", "owner_id", "user_id") if "id" in row and row.get(name)}
