"""The composition root of auth-service, read top to bottom; `__main__` runs it. Only this module constructs."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import TextIO

import aiohttp

from auth_service.accounts import Accounts
from auth_service.addresses import Addresses
from auth_service.admission import Admission
from auth_service.api_keys import ApiKeys
from auth_service.apps import Apps
from auth_service.argon2id import Argon2id
from auth_service.arrivals import Arrivals
from auth_service.audit import Audit
from auth_service.audit_export import AuditExport
from auth_service.batches import Batches
from auth_service.challenges import Challenges
from auth_service.clients import Clients
from auth_service.closing import Closing, Expiry
from auth_service.codes import Codes
from auth_service.directory import Directory
from auth_service.email_change import EmailChange
from auth_service.enrolment import Enrolment, Sweep
from auth_service.entrance import Entrance
from auth_service.export import Export
from auth_service.facebook import Facebook
from auth_service.grants import Grants
from auth_service.guesses import PER_ADDRESS, PER_APP, Guesses, Patience
from auth_service.hashing import HashPool
from auth_service.identities import Identities
from auth_service.issuance import Issuance
from auth_service.key_keeper import REFRESH_SECONDS, RETIRE_SECONDS, KeyKeeper, check_openable
from auth_service.keys import KeyRing, Seal
from auth_service.known_devices import KnownDevices
from auth_service.limits import Limit, Limiter, Mails
from auth_service.link_use import LinkUse
from auth_service.links import Links
from auth_service.notices import Notices, Relay
from auth_service.own_account import OwnAccount
from auth_service.own_apps import OwnApps
from auth_service.own_sessions import OwnSessions
from auth_service.passwords import Passwords
from auth_service.phone_change import PhoneChange
from auth_service.profiles import Profiles
from auth_service.projects import Projects
from auth_service.proof_of_work import ProofOfWork, Terms
from auth_service.reauthentication import Reauthentication
from auth_service.recovery import Recovery
from auth_service.reset_links import ResetLinks
from auth_service.restoration import catch_up, tell
from auth_service.rpc.accounts import AccountRpc
from auth_service.rpc.apps import ApiKeyRpc, AppRpc
from auth_service.rpc.directory import DirectoryRpc
from auth_service.rpc.links import LinkRpc
from auth_service.rpc.operations import AuditRpc, KeyRpc, KeySetRpc
from auth_service.rpc.own_apps import OwnAppRpc
from auth_service.rpc.projects import ProjectRpc
from auth_service.rpc.sign_in import SignInRpc
from auth_service.rpc.tokens import GrantRpc, TokenRpc
from auth_service.sessions import Sessions
from auth_service.settings import AuthSettings
from auth_service.sign_in import SignIn
from auth_service.sign_up import SignUp
from auth_service.signing import SigningKeys
from auth_service.token_forms import Lifetimes
from auth_service.tokens import TokenCodec
from auth_service.verification import Verification
from auth_service.wrong_answers import WrongAnswers
from gatepost.auth.v1 import (
    accounts_pb2_grpc,
    apps_pb2_grpc,
    directory_pb2_grpc,
    grants_pb2_grpc,
    links_pb2_grpc,
    operations_pb2_grpc,
    projects_pb2_grpc,
    sign_in_pb2_grpc,
    tokens_pb2_grpc,
)
from gatepost.notify.v1.messages_pb2_grpc import MessageServiceStub
from gatepost.users.v1.profiles_pb2_grpc import ProfileServiceStub
from runtime import grpc_client, logs, metrics
from runtime.breached import BreachedPasswords
from runtime.changes import Changes
from runtime.clock import Clock, SystemClock
from runtime.credentials import ServiceKeys
from runtime.grpc_server import GrpcServer
from runtime.loops import Loop
from runtime.migrations import open_migrated
from runtime.postgres import Database
from runtime.service import settle, unless_stopped
from runtime.tls import Tls
from runtime.valkey import Valkey

NAME = "auth-service"
ALLOWED_CALLERS = frozenset({"gateway", "cli"})
# What clients can never cause is not for the gateway either.
NARROWED = {"KeyService": frozenset({"cli"}), "AuditService": frozenset({"cli"})}
_RELAY_SECONDS = 1.0
_SWEEP_SECONDS = 30.0
_BY_HAND_SECONDS = 3600.0


async def serve(settings: AuthSettings, stop: asyncio.Event) -> None:
    """Start, serve until `stop` is set, end what is under way, and return.

    The metrics listener is there first, alive but not ready, while PostgreSQL is waited for; RPCs are taken after that.

    Raises:
        MigrationError: The database was migrated by files that differ from ours.
        OSError: The metrics address cannot be listened on.
        RuntimeError: The RPC address cannot be listened on.
        ValueError: The token keys were sealed under another master key.
    """
    logs.configure(NAME, settings.log_level)
    log = logs.get_logger()
    clock = SystemClock()
    checks = metrics.Checks()
    async with AsyncExitStack() as ending:
        ending.callback(log.info, "stopped")
        ending.push_async_callback((await metrics.serve(settings.auth_metrics_listen, checks)).cleanup)

        # What everything stands on: PostgreSQL, Valkey, the token keys, the other services.
        database = await unless_stopped(
            stop,
            open_migrated(
                settings.auth_postgres_dsn.get_secret_value(),
                "auth_service",
                max_size=settings.auth_postgres_pool_size,
                application_name=NAME,
            ),
        )
        if database is None:
            return
        ending.push_async_callback(database.close)
        valkey = Valkey.connect(
            settings.valkey_url.get_secret_value(),
            timeout_seconds=settings.valkey_timeout_seconds,
            together=settings.batch_limit_items,
        )
        ending.push_async_callback(valkey.close)
        audit = Audit(clock)
        lifetimes = Lifetimes(
            access=settings.access_token_seconds,
            short_access=settings.short_access_token_seconds,
            refresh=settings.refresh_token_seconds,
            session_key=settings.session_key_seconds,
            web_idle=settings.web_idle_seconds,
            web_max=settings.web_max_seconds,
            session_max=settings.session_max_seconds,
        )
        ring, seal = KeyRing(), Seal(*settings.read_master_keys())
        signing = SigningKeys(database, seal, clock)
        keeper = KeyKeeper(
            database=database,
            ring=ring,
            signing=signing,
            seal=seal,
            audit=audit,
            clock=clock,
            longest=max(lifetimes.longest, timedelta(seconds=settings.reset_link_seconds)),
        )
        await keeper.load()
        service_keys = ServiceKeys(settings.service_key_list)
        tls = Tls.from_settings(settings)
        users = grpc_client.connect(
            settings.users_target,
            issuer=NAME,
            audience="user-service",
            keys=service_keys,
            tls=tls,
            coalescing=settings.coalescing,
        )
        ending.push_async_callback(users.close)
        notify = grpc_client.connect(
            settings.notify_target,
            issuer=NAME,
            audience="notify-service",
            keys=service_keys,
            tls=tls,
            coalescing=settings.coalescing,
        )
        ending.push_async_callback(notify.close)

        # The engines.
        limiter = Limiter(valkey)
        code_window = settings.code_failure_window_seconds
        challenges = Challenges(
            valkey,
            ring,
            clock,
            limiter,
            WrongAnswers(database, audit),
            max_tries=settings.challenge_tries,
            failures=Limit("code-failures", settings.code_failures_per_account, code_window),
            per_address=Limit("code-failures-address", settings.code_failures_per_address, code_window),
        )
        codes = Codes(valkey, ring, settings.code_seconds)
        proofs = ProofOfWork(
            valkey,
            ring,
            clock,
            limiter,
            Terms(
                after=settings.proof_of_work_after_count,
                window_seconds=settings.proof_of_work_window_seconds,
                bits=settings.proof_of_work_bits,
                wait_seconds=settings.proof_of_work_wait_seconds,
                waits=Limit(
                    "proof-waits", settings.proof_of_work_waits_per_address, settings.proof_of_work_window_seconds
                ),
            ),
        )
        tokens = TokenCodec(ring)
        argon2id = Argon2id(
            memory_kib=settings.argon2_memory_kib,
            iterations=settings.argon2_iterations,
            parallelism=settings.argon2_parallelism,
        )
        log.debug("passwords are hashed", library=argon2id.library)
        breached = (
            BreachedPasswords.open(settings.breached_passwords_file) if settings.breached_passwords_file else None
        )
        hash_pool = HashPool(workers=settings.hash_workers, queue_size=settings.hash_queue_size)
        passwords = Passwords(argon2id, hash_pool, breached)
        ending.callback(passwords.close)
        relay_loop = Loop("relay", _RELAY_SECONDS, Relay(database, MessageServiceStub(notify), clock).step)
        notices = Notices(clock, relay_loop.nudge)
        devices = KnownDevices(ring)
        guesses = Guesses(
            valkey=valkey,
            database=database,
            limiter=limiter,
            audit=audit,
            clock=clock,
            patience=Patience(
                free=settings.sign_in_failures_per_account,
                first_wait_seconds=settings.sign_in_first_wait_seconds,
                longest_wait_seconds=settings.sign_in_longest_wait_seconds,
                most=settings.sign_in_most_failures,
                kept_seconds=settings.sign_in_failure_memory_seconds,
            ),
            sprayed=Limit("spray", settings.sign_in_spray_accounts, settings.sign_in_failure_window_seconds),
        )
        batches = Batches(database, most=settings.batch_limit_items)
        clients = Clients(database, batches)
        profiles = Profiles(ProfileServiceStub(users))
        enrolment = Enrolment(database, profiles, audit, clock)
        links = Links(clock, settings.public_url)
        addresses = Addresses(
            links=links,
            notices=notices,
            audit=audit,
            clock=clock,
            confirm_seconds=settings.confirm_email_seconds,
            undo_seconds=settings.email_undo_seconds,
        )

        # The use cases.
        window = settings.sign_in_failure_window_seconds
        per_address = Limit(PER_ADDRESS, settings.sign_in_failures_per_address, window)
        mail_window, sign_up_window = settings.mail_window_seconds, settings.sign_up_window_seconds
        mails = Limit("mails", settings.mails_per_account, mail_window)
        mails_at_door = Mails(
            mails,
            per_client=Limit("mails-address", settings.mails_per_address, mail_window),
            per_app=Limit("mails-app", settings.mails_per_app, mail_window),
        )
        sign_ups = Limit("sign-ups", settings.sign_ups_per_address, sign_up_window)
        arrivals = Arrivals(notices, batches, clock)
        sessions = Sessions(
            database=database,
            batches=batches,
            tokens=tokens,
            arrivals=arrivals,
            audit=audit,
            clock=clock,
            lifetimes=lifetimes,
        )
        issuance = Issuance(
            database=database,
            batches=batches,
            clients=clients,
            codes=codes,
            tokens=tokens,
            sessions=sessions,
            arrivals=arrivals,
            audit=audit,
            clock=clock,
            lifetimes=lifetimes,
            refresh_replay_seconds=settings.refresh_replay_seconds,
        )
        entrance = Entrance(database, most=settings.batch_limit_items)
        admission = Admission(database, entrance, codes, sessions, devices, clock)
        facebook = await _facebook(settings, clock, ending)
        identities = Identities(
            database=database,
            clients=clients,
            admission=admission,
            audit=audit,
            limiter=limiter,
            per_address=per_address,
            facebook=facebook,
        )
        sign_up = SignUp(
            database=database,
            clients=clients,
            passwords=passwords,
            enrolment=enrolment,
            identities=identities,
            challenges=challenges,
            admission=admission,
            addresses=addresses,
            notices=notices,
            audit=audit,
            limiter=limiter,
            proofs=proofs,
            clock=clock,
            per_address=sign_ups,
            per_app=Limit("sign-ups-app", settings.sign_ups_per_app, sign_up_window),
            mails=mails_at_door,
            otp_seconds=settings.otp_seconds,
            registration_seconds=settings.registration_seconds,
        )
        sign_in = SignIn(
            database=database,
            clients=clients,
            passwords=passwords,
            challenges=challenges,
            admission=admission,
            notices=notices,
            audit=audit,
            limiter=limiter,
            proofs=proofs,
            guesses=guesses,
            devices=devices,
            clock=clock,
            per_address=per_address,
            per_app=Limit(PER_APP, settings.sign_in_failures_per_app, window),
            mails=mails_at_door,
            otp_seconds=settings.otp_seconds,
        )
        verification = Verification(
            database=database,
            entrance=entrance,
            enrolment=enrolment,
            challenges=challenges,
            admission=admission,
            notices=notices,
            audit=audit,
            clock=clock,
        )
        recovery = Recovery(
            database=database,
            clients=clients,
            passwords=passwords,
            challenges=challenges,
            notices=notices,
            audit=audit,
            limiter=limiter,
            proofs=proofs,
            guesses=guesses,
            devices=devices,
            links=ResetLinks(ring, clock),
            clock=clock,
            mails=mails_at_door,
            reset_seconds=settings.reset_seconds,
            link_seconds=settings.reset_link_seconds,
            public_url=settings.public_url,
        )
        accounts = Accounts(
            database=database,
            passwords=passwords,
            enrolment=enrolment,
            notices=notices,
            audit=audit,
            guesses=guesses,
            clock=clock,
        )
        reauthentication = Reauthentication(
            database=database,
            passwords=passwords,
            guesses=guesses,
            audit=audit,
            clock=clock,
            seconds=settings.reauth_seconds,
        )
        own = OwnAccount(
            database=database,
            sessions=sessions,
            reauthentication=reauthentication,
            passwords=passwords,
            profiles=profiles,
            notices=notices,
            audit=audit,
            limiter=limiter,
            guesses=guesses,
            devices=devices,
            clock=clock,
            mails=mails,
        )
        own_sessions = OwnSessions(database=database, sessions=sessions, reauthentication=reauthentication, audit=audit)
        email_change = EmailChange(
            database=database,
            sessions=sessions,
            reauthentication=reauthentication,
            challenges=challenges,
            addresses=addresses,
            notices=notices,
            audit=audit,
            limiter=limiter,
            clock=clock,
            mails=mails,
            seconds=settings.email_change_seconds,
        )
        phone_change = PhoneChange(
            database=database,
            sessions=sessions,
            reauthentication=reauthentication,
            challenges=challenges,
            profiles=profiles,
            notices=notices,
            audit=audit,
            limiter=limiter,
            clock=clock,
            messages=Limit("texts", settings.texts_per_account, settings.text_window_seconds),
            per_address=Limit("texts-address", settings.texts_per_address, settings.text_window_seconds),
            seconds=settings.phone_change_seconds,
        )
        closing = Closing(
            database=database,
            sessions=sessions,
            reauthentication=reauthentication,
            links=links,
            notices=notices,
            audit=audit,
            clock=clock,
            seconds=settings.closing_seconds,
        )
        export = Export(database=database, sessions=sessions, audit=audit, clock=clock)
        audit_export = AuditExport(database=database, signing=signing, audit=audit, clock=clock)
        link_use = LinkUse(database=database, links=links, addresses=addresses, closing=closing, recovery=recovery)
        api_keys = ApiKeys(database, batches, audit, clock)
        directory = Directory(
            database=database,
            api_keys=api_keys,
            sign_in=sign_in,
            entrance=entrance,
            admission=admission,
            reauthentication=reauthentication,
            enrolment=enrolment,
            addresses=addresses,
            passwords=passwords,
            profiles=profiles,
            notices=notices,
            audit=audit,
            limiter=limiter,
            clock=clock,
            sign_ups=sign_ups,
            mails=mails,
        )
        projects = Projects(database, audit, clock)
        await projects.ensure_default()
        apps = Apps(database, audit, clock)
        own_apps = OwnApps(
            database=database, sessions=sessions, apps=apps, clock=clock, apps_per_user=settings.apps_per_user
        )
        grants = Grants(
            database=database,
            batches=batches,
            clients=clients,
            sessions=sessions,
            codes=codes,
            audit=audit,
            clock=clock,
            consent_seconds=settings.consent_seconds,
        )

        # The door.
        account_rpc = AccountRpc(
            accounts=accounts,
            own=own,
            email_change=email_change,
            phone_change=phone_change,
            closing=closing,
            export=export,
        )
        sign_in_rpc = SignInRpc(sign_up, sign_in, verification, recovery, identities, proofs)
        server = GrpcServer(
            service=NAME, listen=settings.auth_listen, keys=service_keys, allowed_callers=ALLOWED_CALLERS, tls=tls
        )
        for register, servicer, service in (
            (projects_pb2_grpc.add_ProjectServiceServicer_to_server, ProjectRpc(projects), "ProjectService"),
            (apps_pb2_grpc.add_AppServiceServicer_to_server, AppRpc(apps), "AppService"),
            (apps_pb2_grpc.add_ApiKeyServiceServicer_to_server, ApiKeyRpc(api_keys), "ApiKeyService"),
            (apps_pb2_grpc.add_OwnAppServiceServicer_to_server, OwnAppRpc(own_apps), "OwnAppService"),
            (directory_pb2_grpc.add_DirectoryServiceServicer_to_server, DirectoryRpc(directory), "DirectoryService"),
            (links_pb2_grpc.add_LinkServiceServicer_to_server, LinkRpc(link_use), "LinkService"),
            (accounts_pb2_grpc.add_AccountServiceServicer_to_server, account_rpc, "AccountService"),
            (sign_in_pb2_grpc.add_SignInServiceServicer_to_server, sign_in_rpc, "SignInService"),
            (
                tokens_pb2_grpc.add_TokenServiceServicer_to_server,
                TokenRpc(
                    issuance=issuance,
                    sessions=sessions,
                    own=own_sessions,
                    reauthentication=reauthentication,
                    accounts=accounts,
                ),
                "TokenService",
            ),
            (grants_pb2_grpc.add_GrantServiceServicer_to_server, GrantRpc(grants, accounts), "GrantService"),
            (operations_pb2_grpc.add_KeyServiceServicer_to_server, KeyRpc(keeper), "KeyService"),
            (operations_pb2_grpc.add_KeySetServiceServicer_to_server, KeySetRpc(signing), "KeySetService"),
            (operations_pb2_grpc.add_AuditServiceServicer_to_server, AuditRpc(database, audit_export), "AuditService"),
        ):
            server.add(register, servicer, f"gatepost.auth.v1.{service}", callers=NARROWED.get(service))
        changes = Changes(settings.auth_postgres_dsn.get_secret_value(), NAME)
        changes.mount(server)
        await server.start()
        ending.push_async_callback(server.stop, settings.shutdown_grace_seconds)
        ending.push_async_callback(changes.close)  # ends first

        # Behind the scenes.
        for loop in (
            relay_loop,
            Loop("sweep", _SWEEP_SECONDS, Sweep(database, profiles, clock).step),
            Loop("closing", _SWEEP_SECONDS, Expiry(database, enrolment, audit, clock).step),
            Loop("keys", REFRESH_SECONDS, keeper.refresh),
            Loop("key retirement", RETIRE_SECONDS, keeper.retire),
        ):
            loop.start()
            ending.push_async_callback(loop.stop)
        checks.add("postgresql", database.ready)
        checks.add("valkey", valkey.ready)
        settle()
        log.info("started", listen=settings.auth_listen, port=server.port)
        await stop.wait()


async def history(settings: AuthSettings, since: int, out: TextIO) -> None:
    """Write what happened after an event, a document a line; see `restoration.tell`."""
    async with _patient(settings) as database, database.transaction() as connection:
        await tell(connection, since, lambda document: print(json.dumps(document), file=out))


async def restored(settings: AuthSettings, lines: Iterable[str], out: TextIO) -> None:
    """Settle a restored database, and write what was done; see `restoration.catch_up`.

    Raises:
        ValueError: Its keys are sealed under another master key, or a line is none of a history.
    """
    clock = SystemClock()
    async with _patient(settings) as database:
        await check_openable(database, Seal(*settings.read_master_keys()))
        async with database.transaction() as connection:
            done = await catch_up(connection, lines, clock, settings.closing_seconds)
    print(json.dumps({"settled": done}), file=out)


@asynccontextmanager
async def _patient(settings: AuthSettings) -> AsyncIterator[Database]:
    """Yield the database for work by hand: statements may take as long as they take."""
    database = await Database.connect(
        settings.auth_postgres_dsn.get_secret_value(),
        max_size=1,
        command_timeout_seconds=_BY_HAND_SECONDS,
        application_name=f"{NAME} by hand",
    )
    try:
        yield database
    finally:
        await database.close()


async def _facebook(settings: AuthSettings, clock: Clock, ending: AsyncExitStack) -> Facebook | None:
    if settings.facebook_app_secret is None:
        return None
    http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=settings.facebook_timeout_seconds))
    await ending.enter_async_context(http)
    secret = settings.facebook_app_secret.get_secret_value()
    return Facebook(http, clock, settings.facebook_base_url, settings.facebook_app_id, secret)
