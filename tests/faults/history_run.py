"""One dose of the history test: workers and nemesis at a stack for a while, then the judgement of every history."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random

from conftest import GatepostStack
from dialects.ihopr_client import App
from dialects.redirect_client import REDIRECT_URL
from dialects.vorgid_client import USER
from faults.fault_proxy import FaultProxy
from faults.history_client import Client, opened
from faults.history_events import Event, Rules, Violation
from faults.history_model import violations
from faults.history_operator import Operator
from faults.history_own import Own
from faults.history_pages import Pages
from faults.history_people import ROLES
from faults.history_workers import Dose, Workers
from faults.nemesis import Fault, Nemesis

from gatepost_cli import operate, services

REPLAY_SECONDS = 4
_PAUSE_SECONDS = (1.0, 4.0)  # between two faults
SETTINGS = {
    "GATEPOST_REFRESH_REPLAY_SECONDS": str(REPLAY_SECONDS),
    "GATEPOST_SIGN_IN_FAILURES_PER_ACCOUNT": "1000000",
    "GATEPOST_SIGN_IN_MOST_FAILURES": "1000000",
    "GATEPOST_SIGN_IN_FAILURES_PER_APP": "1000000",
    "GATEPOST_SIGN_IN_SPRAY_ACCOUNTS": "1000000",
    "GATEPOST_PROOF_OF_WORK_AFTER_COUNT": "0",
    "GATEPOST_SIGN_UPS_PER_APP": "1000000",
    "GATEPOST_MAILS_PER_APP": "1000000",
    "GATEPOST_CODE_FAILURES_PER_ACCOUNT": "1000000",
    "GATEPOST_CODE_FAILURES_PER_ADDRESS": "1000000",
    "GATEPOST_MAILS_PER_ACCOUNT": "1000000",
    "GATEPOST_REAUTH_SECONDS": "86400",
}


@dataclass(frozen=True)
class Found:
    """What a dose came to.

    Args:
        seed: Of all that was chosen.
        seconds: How long it lasted.
        histories: Of each account.
        faults: What was done to the stack.
        broken: What the histories show, by the number of the account.
    """

    seed: int
    seconds: float
    histories: Sequence[Sequence[Event]] = field(repr=False)
    faults: Sequence[Fault]
    broken: Sequence[tuple[int, Violation]]

    @property
    def operations(self) -> Counter[tuple[str, str]]:
        """Operations by kind and outcome; those refused with why."""
        return Counter(
            (event.kind, f"{event.outcome}{' ' * bool(event.reason)}{event.reason}")
            for history in self.histories
            for event in history
        )

    @property
    def longest_silence(self) -> float:
        """Seconds of the longest time in which nothing was acknowledged to anybody."""
        ends = sorted(event.end for history in self.histories for event in history if event.ok)
        return max((later - earlier for earlier, later in pairwise(ends)), default=0.0)


def prepare(stack: GatepostStack) -> tuple[App, App]:
    """Make a project with many roles and two apps: people sign in with the first, and may let the second in."""
    project = "history"
    roles = [part for role in ("user", *ROLES) for part in ("--role", role)]
    roles += [part for role in ROLES for part in ("--self-assignable-role", role)]
    stack.cli("project", "create", project, *roles)
    made = stack.cli("app", "create", "Own", "--project", project)
    guest = stack.cli("app", "create", "Guest", "--project", project, "--redirect-url", REDIRECT_URL, "--scope", USER)
    return App(project, made["client_id"], made["client_secret"]), App(
        project, guest["client_id"], guest["client_secret"]
    )


async def run(
    stack: GatepostStack,
    apps: tuple[App, App],
    seconds: float,
    seed: int,
    dose: Dose,
    proxies: Mapping[str, FaultProxy] | None = None,
) -> Found:
    """Let everybody work for a while, then judge."""
    rules = Rules(replay=REPLAY_SECONDS)
    folder = _folder(stack)
    nemesis = Nemesis(folder, Random(seed), proxies)  # noqa: S311  chooses what a test does
    random = Random(seed + 1)  # noqa: S311
    start = time.monotonic()
    async with opened() as session, operate.opened(services.locate(folder)) as rpc:
        client = Client(session, stack.url, apps[0])
        own = Own(client, random, rules)
        workers = Workers(
            own, Pages(client, random, own, apps[1]), Operator(rpc, random, apps[0].project), random, dose
        )
        async with asyncio.TaskGroup() as together:
            together.create_task(workers.work(start + seconds))
            together.create_task(nemesis.work(start + seconds, _PAUSE_SECONDS))
        await nemesis.back(set())
        await workers.settle()
    histories = [person.events for person in workers.past]
    broken = [
        (number, each)
        for number, person in enumerate(workers.past)
        for each in (*person.complaints, *violations(person.events, rules))
    ]
    return Found(seed, time.monotonic() - start, histories, nemesis.faults, broken)


def _folder(stack: GatepostStack) -> Path:
    if stack.data_dir is None:
        raise AssertionError("the stack must have a folder of its own")
    return stack.data_dir
