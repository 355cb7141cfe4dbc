"""The engines and use cases of auth-service, made as its composition root makes them, with a clock that tests move."""

import asyncio
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from uuid import UUID, uuid4

import redis
from free_ports import free_port

from auth_service.addresses import Addresses
from auth_service.admission import Admission
from auth_service.apps import Apps, NewApp
from auth_service.argon2id import Argon2id
from auth_service.arrivals import Arrivals
from auth_service.audit import Audit
from auth_service.batches import Batches
from auth_service.challenges import Challenges
from auth_service.clients import Clients
from auth_service.codes import Codes
from auth_service.enrolment import Enrolment, NewAccount, Sweep
from auth_service.entrance import Entrance
from auth_service.guesses import Guesses, Patience
from auth_service.hashing import HashPool
from auth_service.identities import Identities
from auth_service.issuance import Issuance
from auth_service.key_keeper import KeyKeeper
from auth_service.keys import KeyRing, Seal
from auth_service.known_devices import KnownDevices
from auth_service.limits import Limit, Limiter
from auth_service.links import Links
from auth_service.model import Account, App, AppType, NewProfile, SignInPolicy
from auth_service.notices import Notices
from auth_service.passwords import Passwords
from auth_service.profiles import Profiles
from auth_service.projects import Projects
from auth_service.sessions import Sessions
from auth_service.signing import SigningKeys
from auth_service.store import accounts
from auth_service.token_forms import Lifetimes
from auth_service.tokens import TokenCodec
from auth_service.wrong_answers import WrongAnswers
from gatepost.users.v1 import profiles_pb2
from gatepost_cli.embedded import binaries
from runtime.clock import ManualClock
from runtime.errors import GatepostError, Reason
from runtime.postgres import Database
from runtime.valkey import Valkey

MASTER_KEY = "a-master-key-of-the-tests-alone-of-enough-length"
FAILURES = Limit("code-failures", 30, 3600)
SPRAYED = Limit("spray", 20, 300)
FAILURES_HERE = Limit("code-failures-address", 1000, 3600)
PATIENCE = Patience(free=10, first_wait_seconds=30, longest_wait_seconds=3600, most=100, kept_seconds=2_592_000)
_DAY = 86_400
LIFETIMES = Lifetimes(
    access=3600,
    short_access=600,
    refresh=_DAY,
    session_key=3 * _DAY,
    web_idle=2 * _DAY,
    web_max=5 * _DAY,
    session_max=7 * _DAY,
)


CHEAP = Argon2id(memory_kib=8, iterations=1, parallelism=1)


class ProfileSink:
    """Where user-service would be: remembers the profiles that are made and removed."""

    def __init__(self) -> None:
        self.there: set[str] = set()
        self.gone = False

    async def CreateProfile(self, request: profiles_pb2.CreateProfileRequest) -> None:  # noqa: N802 the stub's name
        self._check()
        self.there.add(request.profile.user_id)

    async def DeleteProfile(self, request: profiles_pb2.DeleteProfileRequest) -> None:  # noqa: N802 the stub's name
        self._check()
        self.there.discard(request.user_id)

    def _check(self) -> None:
        if self.gone:
            raise GatepostError(Reason.UNAVAILABLE)


class Engines:
    """One instance of everything below the RPC layer."""

    def __init__(self, database: Database, valkey: Valkey, clock: ManualClock, sink: ProfileSink) -> None:
        self.database = database
        self.valkey = valkey
        self.clock = clock
        self.sink = sink
        self.audit = Audit(clock)
        self.ring = KeyRing()
        self.seal = Seal(MASTER_KEY)
        self.signing = SigningKeys(database, self.seal, clock)
        self.keeper = KeyKeeper(
            database=database,
            ring=self.ring,
            signing=self.signing,
            seal=self.seal,
            audit=self.audit,
            clock=clock,
            longest=LIFETIMES.longest,
            known_seconds=0,
        )
        self.limiter = Limiter(valkey)
        self.challenges = Challenges(
            valkey,
            self.ring,
            clock,
            self.limiter,
            WrongAnswers(database, self.audit),
            max_tries=5,
            failures=FAILURES,
            per_address=FAILURES_HERE,
        )
        self.codes = Codes(valkey, self.ring, 300)
        self.tokens = TokenCodec(self.ring)
        self.passwords = Passwords(CHEAP, HashPool(workers=1, queue_size=64))
        self.devices = KnownDevices(self.ring)
        self.guesses = self.patient(PATIENCE)
        self.notices = Notices(clock, lambda: None)
        self.profiles = Profiles(sink)  # type: ignore[arg-type]  # the two calls that are made
        self.enrolment = Enrolment(database, self.profiles, self.audit, clock)
        self.sweep = Sweep(database, self.profiles, clock)
        self.projects = Projects(database, self.audit, clock)
        self.apps = Apps(database, self.audit, clock)
        self.batches = Batches(database, most=100)
        self.clients = Clients(database, self.batches)
        arrivals = Arrivals(self.notices, self.batches, clock)
        self.sessions = Sessions(
            database=database,
            batches=self.batches,
            tokens=self.tokens,
            arrivals=arrivals,
            audit=self.audit,
            clock=clock,
            lifetimes=LIFETIMES,
        )
        self.issuance = Issuance(
            database=database,
            batches=self.batches,
            clients=self.clients,
            codes=self.codes,
            tokens=self.tokens,
            sessions=self.sessions,
            arrivals=arrivals,
            audit=self.audit,
            clock=clock,
            lifetimes=LIFETIMES,
            refresh_replay_seconds=10,
        )
        self.admission = Admission(
            database, Entrance(database, most=100), self.codes, self.sessions, self.devices, clock
        )
        self.identities = Identities(
            database=database,
            clients=self.clients,
            admission=self.admission,
            audit=self.audit,
            limiter=self.limiter,
            per_address=FAILURES,
            facebook=None,
        )
        self.addresses = Addresses(
            links=Links(clock, "http://gatepost.example"),
            notices=self.notices,
            audit=self.audit,
            clock=clock,
            confirm_seconds=3 * _DAY,
            undo_seconds=7 * _DAY,
        )

    @classmethod
    async def open(
        cls, database: Database, valkey_url: str, clock: ManualClock | None = None, sink: ProfileSink | None = None
    ) -> Self:
        """Make an instance whose keys are loaded."""
        made = cls(database, Valkey.connect(valkey_url, together=100), clock or ManualClock(), sink or ProfileSink())
        await made.keeper.load()
        return made

    def patient(self, patience: Patience, sprayed: Limit = SPRAYED) -> Guesses:
        """Make what counts wrong passwords."""
        return Guesses(
            valkey=self.valkey,
            database=self.database,
            limiter=self.limiter,
            audit=self.audit,
            clock=self.clock,
            patience=patience,
            sprayed=sprayed,
        )

    async def close(self) -> None:
        self.passwords.close()
        await self.valkey.close()

    async def app(self) -> tuple[App, str]:
        """Make an app in a project of its own; return it with its secret."""
        name = f"p{uuid4().hex[:20]}"
        await self.projects.create(
            project_id=uuid4(),
            name=name,
            policy=SignInPolicy.NONE,
            roles=(),
            self_assignable_roles=(),
            hosts=(),
            password_min_length=0,
            allow_plain_pkce=False,
        )
        return await self.apps.create(name, NewApp(id=uuid4(), name="App", type=AppType.CONFIDENTIAL))

    def newcomer(self, app: App, **fields: Any) -> NewAccount:
        said: dict[str, Any] = {
            "id": uuid4(),
            "project": app.project,
            "email": f"someone-{uuid4().hex[:12]}@example.org",
            "email_verified": True,
            "password_hash": None,
            "profile": NewProfile(),
            "role": "user",
        }
        return NewAccount(**said | fields)

    async def account(self, app: App, **fields: Any) -> Account:
        """Make an account in the app's project."""
        new = self.newcomer(app, **fields)
        await self.enrolment.prepare(new)
        async with self.database.transaction() as connection:
            return await self.enrolment.complete(connection, new)

    async def exists(self, account_id: UUID) -> bool:
        async with self.database.acquire() as connection:
            return await accounts.fetch(connection, account_id) is not None


@contextmanager
def cluster_of_one(folder: Path) -> Iterator[str]:
    """Run a Valkey in cluster mode that holds all slots; yield its URL."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    settings = {
        "port": port,
        "bind": "127.0.0.1",
        "cluster-enabled": "yes",
        "cluster-port": free_port(),
        "dir": folder,
        "save": "",
        "appendonly": "no",
        "loglevel": "warning",
    }
    options = [part for name, value in settings.items() for part in (f"--{name}", str(value))]
    process = subprocess.Popen([str(binaries.valkey_server()), *options], stdout=subprocess.DEVNULL)
    try:
        with redis.Redis(port=port) as client:
            _until(lambda: bool(client.ping()))
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            _until(lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")
        yield f"redis+cluster://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _until(check: Any) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if check():
                return
        except (redis.ConnectionError, OSError):
            pass
        time.sleep(0.02)
    raise TimeoutError


async def at_once(*calls: Any) -> list[Any]:
    """Make calls in parallel and return what each gave or raised."""
    return list(await asyncio.gather(*calls, return_exceptions=True))
