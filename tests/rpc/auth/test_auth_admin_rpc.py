"""What operators do over RPC: accounts, projects, apps, keys and the audit trail."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from rpc.auth.deployment import PASSWORD, Client, Deployment, address, from_address

from gatepost.auth.v1 import accounts_pb2, apps_pb2, operations_pb2, operations_pb2_grpc, projects_pb2, tokens_pb2
from gatepost.users.v1 import profiles_pb2
from runtime import grpc_client
from runtime.errors import Reason, Rule

Refused = Callable[..., Any]
DISABLED, ACTIVE = accounts_pb2.ACCOUNT_STATE_DISABLED, accounts_pb2.ACCOUNT_STATE_ACTIVE


async def create(deployment: Deployment, client: Client, **fields: Any) -> accounts_pb2.Account:
    said = {"user_id": str(uuid4()), "project": client.project, "email": address(), "password": PASSWORD} | fields
    answer = await deployment.accounts.CreateAccount(accounts_pb2.CreateAccountRequest(**said))
    account: accounts_pb2.Account = answer.account
    return account


async def set_state(deployment: Deployment, ref: accounts_pb2.AccountRef, state: Any) -> accounts_pb2.Account:
    answer = await deployment.accounts.SetAccountState(accounts_pb2.SetAccountStateRequest(account=ref, state=state))
    account: accounts_pb2.Account = answer.account
    return account


async def test_an_account_is_made_whole_and_found_by_id_and_address(deployment: Deployment) -> None:
    client = await deployment.client(roles=["user", "Dev"])
    profile = accounts_pb2.NewProfile(first_name="Ada", meta="")
    made = await create(deployment, client, username="AdaKing", role="dev", profile=profile)
    assert (made.role, made.state, made.email_verified, made.username) == ("Dev", ACTIVE, True, "AdaKing")
    for ref in (accounts_pb2.AccountRef(user_id=made.user_id), client.ref(made.email.upper())):
        assert (await deployment.accounts.GetAccount(accounts_pb2.GetAccountRequest(account=ref))).account == made
    stored = await deployment.profiles.GetProfile(profiles_pb2.GetProfileRequest(user_id=made.user_id))
    assert (stored.profile.first_name, stored.profile.meta) == ("Ada", "")
    assert (await client.sign_in(made.email)).code


async def test_creating_an_account_again_returns_the_first(deployment: Deployment) -> None:
    client = await deployment.client()
    user_id = str(uuid4())
    first = await create(deployment, client, user_id=user_id)
    assert first == await create(deployment, client, user_id=user_id, role="admin")
    other = str(uuid4())
    email = address()
    made = await asyncio.gather(*(create(deployment, client, user_id=other, email=email) for _ in range(3)))
    assert {account.user_id for account in made} == {other}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"email": ""}, Reason.INVALID_PARAMETER),
        ({"user_id": "1"}, Reason.INVALID_PARAMETER),
        ({"username": "four"}, Reason.INVALID_PARAMETER),
        ({"username": "alice1\n"}, Reason.INVALID_PARAMETER),
        ({"role": "emperor"}, Reason.ROLE_UNKNOWN),
        ({"password": "short"}, Reason.WEAK_PASSWORD),
        ({"project": "no-such-project"}, Reason.NOT_FOUND),
        ({"project": "x" * 20_000}, Reason.NOT_FOUND),
        ({"profile": accounts_pb2.NewProfile(phone="1" * 41)}, Reason.INVALID_PARAMETER),
    ],
)
async def test_an_account_that_cannot_be_made_is_refused(
    deployment: Deployment, refused: Refused, fields: dict[str, Any], reason: Reason
) -> None:
    await refused(create(deployment, await deployment.client(), **fields), reason)


async def test_address_and_user_name_are_unique_in_a_project_whatever_their_case(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    first = await create(deployment, client, username="Hildegard")
    await refused(create(deployment, client, email=first.email.upper()), Reason.EMAIL_TAKEN)
    await refused(create(deployment, client, username="HILDEGARD"), Reason.USERNAME_TAKEN)
    await create(deployment, await deployment.client(), email=first.email, username="hildegard")


async def test_enabling_an_unproven_account_proves_it(deployment: Deployment) -> None:
    client = await deployment.client()
    made = await create(deployment, client, unverified=True)
    assert (made.state, made.email_verified) == (accounts_pb2.ACCOUNT_STATE_PENDING, False)
    proven = await set_state(deployment, client.ref(made.email), ACTIVE)
    assert (proven.state, proven.email_verified) == (ACTIVE, True)


@pytest.mark.parametrize("state", [accounts_pb2.ACCOUNT_STATE_PENDING, accounts_pb2.ACCOUNT_STATE_UNSPECIFIED, 99])
async def test_no_other_state_can_be_set(deployment: Deployment, refused: Refused, state: Any) -> None:
    client = await deployment.client()
    made = await create(deployment, client)
    await refused(set_state(deployment, client.ref(made.email), state), Reason.INVALID_PARAMETER)


async def test_a_sign_up_not_proven_yet_is_shown_as_pending_and_cannot_be_changed(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client("otp", roles=["user", "admin"])
    email = address()
    await client.sign_up(email)
    ref = client.ref(email)
    found = await deployment.accounts.GetAccount(accounts_pb2.GetAccountRequest(account=ref))
    assert found.account.state == accounts_pb2.ACCOUNT_STATE_PENDING
    await refused(set_state(deployment, ref, ACTIVE), Reason.NOT_FOUND)
    role = accounts_pb2.SetRoleRequest(account=ref, role="admin")
    await refused(deployment.accounts.SetRole(role), Reason.NOT_FOUND)
    end = tokens_pb2.EndAllSessionsRequest(account=ref)
    await refused(deployment.tokens.EndAllSessions(end), Reason.NOT_FOUND)


async def test_deleting_a_sign_up_not_proven_yet_forgets_it(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client("otp")
    email = address()
    result = await client.sign_up(email)
    code = await client.mailed_code(email, [])
    await deployment.accounts.DeleteAccount(accounts_pb2.DeleteAccountRequest(account=client.ref(email)))
    await refused(client.answer(result, code), Reason.CHALLENGE_FAILED)


async def test_deleting_an_account_removes_everything_of_it(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client(scopes=["read"])
    email, person = await client.person()
    waiting = (await client.sign_in(email)).code
    challenge = await client.start_reset(email)
    reset = await client.mailed_code(email, [])
    user_id = person.account.user_id
    await deployment.accounts.DeleteAccount(accounts_pb2.DeleteAccountRequest(account=client.ref(email)))
    await refused(client.authenticate(person.tokens.access_token), Reason.TOKEN_INVALID)
    await refused(client.refresh(person.tokens.refresh_token), Reason.TOKEN_INVALID)
    await refused(client.exchange(waiting), Reason.CODE_INVALID)
    await refused(client.complete_reset(challenge, reset, "an entirely new password"), Reason.CHALLENGE_FAILED)
    await refused(client.sign_in(email), Reason.BAD_CREDENTIALS)
    ref = accounts_pb2.AccountRef(user_id=user_id)
    await refused(deployment.accounts.GetAccount(accounts_pb2.GetAccountRequest(account=ref)), Reason.NOT_FOUND)
    connection = await asyncpg.connect(deployment.auth_dsn)
    try:
        for table in ("identifiers", "credentials", "sessions", "grants"):
            found = await connection.fetchval(f"SELECT count(*) FROM {table} WHERE account_id = $1", UUID(user_id))  # noqa: S608
            assert found == 0, table
        due = await connection.fetchval(
            "SELECT due_at <= now() FROM profile_removals WHERE account_id = $1", UUID(user_id)
        )
        if due is None:  # Sweep was quicker; see the store tests for what it does
            profile = profiles_pb2.GetProfileRequest(user_id=user_id)
            await refused(deployment.profiles.GetProfile(profile), Reason.NOT_FOUND)
        else:
            assert due is True
    finally:
        await connection.close()
    assert (await client.sign_up(email)).code  # the address is free again


async def test_accounts_are_listed_newest_first_page_by_page(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    made = [(await create(deployment, client, password="")).user_id for _ in range(5)]
    seen: list[str] = []
    token, pages = "", 0
    while token or not pages:
        request = accounts_pb2.ListAccountsRequest(project=client.project, page_size=2, page_token=token)
        page = await deployment.accounts.ListAccounts(request)
        seen += [account.user_id for account in page.accounts]
        token, pages = page.next_page_token, pages + 1
    assert seen == made[::-1]
    whole = await deployment.accounts.ListAccounts(
        accounts_pb2.ListAccountsRequest(project=client.project, page_size=5000)
    )
    assert [account.user_id for account in whole.accounts] == seen
    for bad in ({"page_size": -1}, {"page_token": "x"}, {"page_token": "MjAyNi0wMS0wMQ=="}, {"page_token": "\x00ü"}):
        request = accounts_pb2.ListAccountsRequest(project=client.project, **bad)
        await refused(deployment.accounts.ListAccounts(request), Reason.INVALID_PARAMETER)


async def test_apps_and_projects_are_listed_page_by_page(deployment: Deployment) -> None:
    client = await deployment.client()
    made = [client.app.client_id] + [(await deployment.app_of(client.project, "none")).app.client_id for _ in range(4)]
    seen: list[str] = []
    token, pages = "", 0
    while token or not pages:
        request = apps_pb2.ListAppsRequest(project=client.project, page_size=2, page_token=token)
        page = await deployment.apps.ListApps(request)
        seen += [app.client_id for app in page.apps]
        token, pages = page.next_page_token, pages + 1
    assert seen == made
    names: list[str] = []
    token, pages = "", 0
    while token or not pages:
        listed = await deployment.projects.ListProjects(projects_pb2.ListProjectsRequest(page_size=7, page_token=token))
        names += [project.name for project in listed.projects]
        token, pages = listed.next_page_token, pages + 1
    assert names == sorted(names)
    assert {client.project, "default"} <= set(names)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "Upper"},
        {"name": "new\n"},
        {"name": ""},
        {"roles": ["a", "A"]},
        {"roles": ["a b"]},
        {"roles": ["user\n"]},
        {"self_assignable_roles": ["emperor"]},
        {"hosts": ["https://example.org"]},
        {"password_min_length": 7},
        {"password_min_length": 65},
        {"sign_in_policy": projects_pb2.SIGN_IN_POLICY_UNSPECIFIED},
        {"id": "no uuid"},
    ],
)
async def test_a_project_that_makes_no_sense_is_refused(
    deployment: Deployment, refused: Refused, fields: dict[str, Any]
) -> None:
    said: dict[str, Any] = {
        "id": str(uuid4()),
        "name": f"p{uuid4().hex[:20]}",
        "sign_in_policy": projects_pb2.SIGN_IN_POLICY_NONE,
    } | fields
    request = projects_pb2.CreateProjectRequest(**said)
    await refused(deployment.projects.CreateProject(request), Reason.INVALID_PARAMETER)


async def test_a_project_created_again_is_returned_and_its_name_is_taken_for_others(
    deployment: Deployment, refused: Refused
) -> None:
    name, project_id = f"p{uuid4().hex[:20]}", str(uuid4())
    policy = projects_pb2.SIGN_IN_POLICY_OTP
    request = projects_pb2.CreateProjectRequest(id=project_id, name=name, sign_in_policy=policy)
    first = (await deployment.projects.CreateProject(request)).project
    assert (await deployment.projects.CreateProject(request)).project == first
    request.id = str(uuid4())
    await refused(deployment.projects.CreateProject(request), Reason.ALREADY_EXISTS)


async def test_a_role_in_use_cannot_be_taken_away(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client(roles=["user", "Dev"])
    await create(deployment, client, role="Dev")
    request = projects_pb2.UpdateProjectRequest(name=client.project, roles=["user"])
    await refused(deployment.projects.UpdateProject(request), Reason.INVALID_PARAMETER)


@pytest.mark.parametrize(
    ("host", "found"),
    [("id.example.org", True), ("ID.Example.org:8443", True), ("id.example.org.", True), ("other.example.org", False)],
)
async def test_a_host_leads_to_its_project_and_any_other_to_the_default(
    deployment: Deployment, host: str, *, found: bool
) -> None:
    unique = uuid4().hex[:12]
    client = await deployment.client(hosts=[f"{unique}.id.example.org"])
    answer = await deployment.projects.ResolveProject(projects_pb2.ResolveProjectRequest(host=f"{unique}.{host}"))
    assert answer.project.name == (client.project if found else "default")


async def test_a_host_is_one_enabled_projects(deployment: Deployment, refused: Refused) -> None:
    host = f"{uuid4().hex[:12]}.example.org"
    first, second = await deployment.client(hosts=[host]), await deployment.client()
    name = f"p{uuid4().hex[:12]}"
    taken = projects_pb2.CreateProjectRequest(
        id=str(uuid4()), name=name, sign_in_policy=projects_pb2.SIGN_IN_POLICY_NONE, hosts=[f"{name}.example.org", host]
    )
    error = await refused(deployment.projects.CreateProject(taken), Reason.INVALID_PARAMETER)
    assert [(each.field, each.rule) for each in error.violations] == [("hosts", Rule.TAKEN)]
    assert repr(first.project) in error.violations[0].description
    take = projects_pb2.UpdateProjectRequest(name=second.project, hosts=projects_pb2.StringList(values=[host]))
    await refused(deployment.projects.UpdateProject(take), Reason.INVALID_PARAMETER)
    await deployment.projects.UpdateProject(projects_pb2.UpdateProjectRequest(name=first.project, disabled=True))
    await deployment.projects.UpdateProject(take)
    enable = projects_pb2.UpdateProjectRequest(name=first.project, disabled=False)
    await refused(deployment.projects.UpdateProject(enable), Reason.INVALID_PARAMETER)
    found = await deployment.projects.ResolveProject(projects_pb2.ResolveProjectRequest(host=host))
    assert found.project.name == second.project


async def test_a_host_that_two_projects_were_given_at_once_leads_to_neither(
    deployment: Deployment, refused: Refused
) -> None:
    host = f"{uuid4().hex[:12]}.example.org"
    for client in [await deployment.client() for _ in range(2)]:
        await deployment.execute("UPDATE projects SET hosts = ARRAY[$1] WHERE name = $2", host, client.project)
    request = projects_pb2.ResolveProjectRequest(host=host)
    await refused(deployment.projects.ResolveProject(request), Reason.NOT_FOUND)


@pytest.mark.parametrize(
    "fields",
    [
        {"redirect_urls": ["http://example.org/"]},
        {"redirect_urls": ["https://["]},
        {"redirect_urls": ["https://example.org/#f"]},
        {"redirect_urls": ["https://user@example.org/"]},
        {"redirect_urls": ["https://example.org:99999/"]},
        {"redirect_urls": ["javascript:alert(1)"]},
        {"redirect_urls": ["/relative"]},
        {"origins": ["https://example.org/"]},
        {"origins": ["https://["]},
        {"origins": ["null"]},
        {"scopes": ["two words"]},
        {"scopes": ["read\n"]},
        {"name": ""},
        {"name": "x" * 101},
        {"name": "line\nbreak"},
    ],
)
async def test_an_app_that_makes_no_sense_is_refused(
    deployment: Deployment, refused: Refused, fields: dict[str, Any]
) -> None:
    client = await deployment.client()
    said = {"id": str(uuid4()), "project": client.project, "name": "App"} | fields
    await refused(deployment.apps.CreateApp(apps_pb2.CreateAppRequest(**said)), Reason.INVALID_PARAMETER)


async def test_an_app_created_again_keeps_its_client_id_and_gets_a_new_secret(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    request = apps_pb2.CreateAppRequest(id=str(uuid4()), project=client.project, name="App")
    first, again = await deployment.apps.CreateApp(request), await deployment.apps.CreateApp(request)
    assert first.app.client_id == again.app.client_id
    assert first.client_secret != again.client_secret
    assert len(again.app.secrets) == 1
    request.project = (await deployment.client()).project
    await refused(deployment.apps.CreateApp(request), Reason.ALREADY_EXISTS)


async def test_the_origin_of_an_enabled_public_app_is_allowed(deployment: Deployment) -> None:
    client = await deployment.client()
    origin = f"https://{uuid4().hex}.example.org"
    kind = apps_pb2.APP_TYPE_PUBLIC
    made = await deployment.apps.CreateApp(
        apps_pb2.CreateAppRequest(id=str(uuid4()), project=client.project, name="Page", type=kind, origins=[origin])
    )

    async def allowed() -> bool:
        return bool((await deployment.apps.CheckOrigin(apps_pb2.CheckOriginRequest(origin=origin))).allowed)

    assert await allowed()
    await deployment.apps.UpdateApp(apps_pb2.UpdateAppRequest(client_id=made.app.client_id, disabled=True))
    assert not await allowed()


async def test_an_api_key_is_shown_once_listed_and_revoked(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    key_id = str(uuid4())
    request = apps_pb2.CreateApiKeyRequest(id=key_id, project=client.project)
    made = await deployment.api_keys.CreateApiKey(request)
    assert (len(made.token), made.key.hint) == (64, made.token[-4:])
    listed = await deployment.api_keys.ListApiKeys(apps_pb2.ListApiKeysRequest(project=client.project))
    assert [key.id for key in listed.keys] == [key_id]
    await deployment.api_keys.RevokeApiKey(apps_pb2.RevokeApiKeyRequest(id=key_id))
    await refused(deployment.api_keys.RevokeApiKey(apps_pb2.RevokeApiKeyRequest(id=key_id)), Reason.NOT_FOUND)
    request.scopes.append("everything")
    await refused(deployment.api_keys.CreateApiKey(request), Reason.INVALID_PARAMETER)


async def test_an_api_key_of_one_project_cannot_be_made_again_for_another(
    deployment: Deployment, refused: Refused
) -> None:
    ours, theirs = await deployment.client(), await deployment.client()
    request = apps_pb2.CreateApiKeyRequest(id=str(uuid4()), project=ours.project)
    await deployment.api_keys.CreateApiKey(request)
    request.project = theirs.project
    await refused(deployment.api_keys.CreateApiKey(request), Reason.ALREADY_EXISTS)


async def test_tokens_made_before_a_key_rotation_stay_good_at_both_instances(deployment: Deployment) -> None:
    client = await deployment.client()
    _, person = await client.person()
    before = await deployment.key_service.ListKeys(operations_pb2.ListKeysRequest())
    made = await deployment.key_service.RotateKeys(operations_pb2.RotateKeysRequest())
    after = await deployment.key_service.ListKeys(operations_pb2.ListKeysRequest())
    assert [key.id for key in after.keys] == [made.key.id, *(key.id for key in before.keys)]
    assert sum(key.active for key in after.keys) == 1
    for stub in (deployment.tokens, deployment.second_tokens):
        await stub.Authenticate(tokens_pb2.AuthenticateRequest(access_token=person.tokens.access_token))


async def test_every_act_on_an_account_stands_in_the_trail_with_who_and_from_where(deployment: Deployment) -> None:
    client = await deployment.client(roles=["user", "admin"])
    async with from_address("203.0.113.7"):
        email, person = await client.person()
        await client.start_reset(email)
    user_id = person.account.user_id
    await deployment.accounts.SetRole(accounts_pb2.SetRoleRequest(account=client.ref(email), role="admin"))
    await set_state(deployment, client.ref(email), DISABLED)
    await deployment.accounts.DeleteAccount(accounts_pb2.DeleteAccountRequest(account=client.ref(email)))
    events = (await deployment.audit.ListEvents(operations_pb2.ListEventsRequest(user_id=user_id))).events
    assert [(event.action, event.actor, event.address) for event in events] == [
        ("account.delete", "service:cli", ""),
        ("account.disable", "service:cli", ""),
        ("role.change", "service:cli", ""),
        ("password.reset_start", "service:gateway", "203.0.113.7"),
        ("session.create", f"user:{user_id}", "203.0.113.7"),
        ("account.create", f"user:{user_id}", "203.0.113.7"),
    ]
    assert {event.project for event in events} == {client.project}


async def test_the_trail_is_read_page_by_page(deployment: Deployment) -> None:
    client = await deployment.client()
    _, person = await client.person()
    request = operations_pb2.ListEventsRequest(user_id=person.account.user_id, page_size=1)
    first = (await deployment.audit.ListEvents(request)).events
    request.before_id = first[0].id
    second = (await deployment.audit.ListEvents(request)).events
    assert [event.action for event in (*first, *second)] == ["session.create", "account.create"]


async def test_a_wrong_password_stands_in_the_trail(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, person = await client.person()
    await refused(client.sign_in(email, "not the password"), Reason.BAD_CREDENTIALS)
    request = operations_pb2.ListEventsRequest(user_id=person.account.user_id, page_size=1)
    event = (await deployment.audit.ListEvents(request)).events[0]
    assert (event.action, event.outcome, event.actor) == ("account.sign_in", "bad_credentials", "service:gateway")


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_events SET actor = 'x'", "DELETE FROM audit_events", "TRUNCATE audit_events"]
)
async def test_the_trail_can_only_grow(deployment: Deployment, statement: str) -> None:
    connection = await asyncpg.connect(deployment.auth_dsn)
    try:
        with pytest.raises(asyncpg.RaiseError, match="append-only"):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_the_gateway_may_neither_rotate_keys_nor_read_the_audit_trail(
    deployment: Deployment, refused: Callable[..., Any]
) -> None:
    target, keys = deployment.auth.target, deployment.keys
    async with grpc_client.connect(target, issuer="gateway", audience="auth-service", keys=keys) as channel:
        key_service = operations_pb2_grpc.KeyServiceStub(channel)
        audit = operations_pb2_grpc.AuditServiceStub(channel)
        await refused(key_service.RotateKeys(operations_pb2.RotateKeysRequest()), Reason.CALLER_REFUSED)
        await refused(audit.ListEvents(operations_pb2.ListEventsRequest()), Reason.CALLER_REFUSED)
