"""What a trusted server does with its project's users, over RPC."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from rpc.auth.deployment import PASSWORD, Client, Deployment, address
from rpc.auth.visitor import SESSION_KEY

from gatepost.auth.v1 import accounts_pb2, apps_pb2, directory_pb2, forms_pb2, links_pb2, tokens_pb2
from gatepost.users.v1 import profiles_pb2
from runtime.errors import GatepostError, Reason

Refused = Callable[..., Any]
NEW = "an entirely new password"
ALL = ["user:authenticate", "user:read", "user:create", "user:edit", "user:delete"]


async def key(deployment: Deployment, client: Client, scopes: list[str] | None = None, **fields: Any) -> str:
    request = apps_pb2.CreateApiKeyRequest(
        id=str(uuid4()), project=client.project, scopes=ALL if scopes is None else scopes, **fields
    )
    return str((await deployment.api_keys.CreateApiKey(request)).token)


async def check(deployment: Deployment, token: str, login: str, password: str = PASSWORD) -> accounts_pb2.Account:
    request = directory_pb2.CheckPasswordRequest(api_key=token, login=login, password=password)
    account: accounts_pb2.Account = (await deployment.directory.CheckPassword(request)).account
    return account


async def find(deployment: Deployment, token: str, **by: str) -> accounts_pb2.Account:
    request = directory_pb2.FindAccountRequest(api_key=token, **by)
    account: accounts_pb2.Account = (await deployment.directory.FindAccount(request)).account
    return account


async def add(deployment: Deployment, token: str, **fields: Any) -> accounts_pb2.Account:
    said: dict[str, Any] = {"api_key": token, "user_id": str(uuid4()), "email": address(), "password": PASSWORD}
    account: accounts_pb2.Account = (
        await deployment.directory.AddAccount(directory_pb2.AddAccountRequest(**said | fields))
    ).account
    return account


async def edit(deployment: Deployment, token: str, user_id: str, **fields: Any) -> accounts_pb2.Account:
    said: dict[str, Any] = {"api_key": token, "user_id": user_id, "current_password": PASSWORD}
    account: accounts_pb2.Account = (
        await deployment.directory.EditAccount(directory_pb2.EditAccountRequest(**said | fields))
    ).account
    return account


async def remove(deployment: Deployment, token: str, user_id: str) -> accounts_pb2.Account:
    request = directory_pb2.RemoveAccountRequest(api_key=token, user_id=user_id)
    account: accounts_pb2.Account = (await deployment.directory.RemoveAccount(request)).account
    return account


async def use(deployment: Deployment, token: str) -> None:
    await deployment.links.UseLink(links_pb2.UseLinkRequest(token=token))


async def profile(deployment: Deployment, user_id: str) -> profiles_pb2.Profile:
    answer = await deployment.profiles.GetProfile(profiles_pb2.GetProfileRequest(user_id=user_id))
    found: profiles_pb2.Profile = answer.profile
    return found


def name() -> str:
    """Return a user name nobody has."""
    return f"user{uuid4().hex[:12]}"


async def test_a_password_is_checked_by_address_and_user_name_and_opens_no_session(deployment: Deployment) -> None:
    client = await deployment.client()
    email, person = await client.person()
    username = name()
    update = accounts_pb2.UpdateOwnAccountRequest(access_token=person.tokens.access_token, username=username)
    await deployment.accounts.UpdateOwnAccount(update)
    token = await key(deployment, client)
    before = await deployment.execute("SELECT count(*) FROM sessions")
    for login in (email.upper(), username):
        assert (await check(deployment, token, login)).user_id == person.account.user_id
    assert await deployment.execute("SELECT count(*) FROM sessions") == before


async def open_session(
    deployment: Deployment, token: str, login: str, form: forms_pb2.TokenForm.ValueType = SESSION_KEY
) -> str:
    request = directory_pb2.CheckPasswordRequest(api_key=token, login=login, password=PASSWORD, session_form=form)
    return str((await deployment.directory.CheckPassword(request)).session.token)


async def test_a_password_opens_a_session_where_one_is_asked_for(deployment: Deployment) -> None:
    client = await deployment.client()
    email, person = await client.person()
    session = await open_session(deployment, await key(deployment, client), email)
    who = await deployment.tokens.Authenticate(tokens_pb2.AuthenticateRequest(access_token=session, form=SESSION_KEY))
    assert (who.account.user_id, who.session.client_id) == (person.account.user_id, "")


async def test_a_password_opens_no_session_where_signing_in_takes_more(deployment: Deployment) -> None:
    client = await deployment.client("two-step")
    email, _ = await client.person()
    assert await open_session(deployment, await key(deployment, client, bypass_second_factor=True), email) == ""


async def test_no_session_is_opened_of_a_form_that_apps_have(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, _ = await client.person()
    opening = open_session(deployment, await key(deployment, client), email, forms_pb2.TOKEN_FORM_PAIR)
    await refused(opening, Reason.INVALID_PARAMETER)


async def test_unknown_user_wrong_password_and_closed_account_are_refused_alike(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    email, person = await client.person()
    disabled, _ = await client.person()
    close = accounts_pb2.CloseOwnAccountRequest(access_token=person.tokens.access_token)
    await deployment.accounts.CloseOwnAccount(close)
    state = accounts_pb2.SetAccountStateRequest(account=client.ref(disabled), state=accounts_pb2.ACCOUNT_STATE_DISABLED)
    await deployment.accounts.SetAccountState(state)
    known, _ = await client.person()
    token = await key(deployment, client)
    errors = [
        await refused(check(deployment, token, login, password), Reason.BAD_CREDENTIALS)
        for login, password in ((address(), PASSWORD), (known, NEW), (email, PASSWORD), (disabled, PASSWORD))
    ]
    assert len({(error.message, str(error.violations), str(error.metadata)) for error in errors}) == 1


async def test_an_unproven_account_is_told_so_after_the_right_password_only(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    token = await key(deployment, client)
    made = await add(deployment, token)
    await refused(check(deployment, token, made.email, NEW), Reason.BAD_CREDENTIALS)
    await refused(check(deployment, token, made.email), Reason.USER_NOT_VALIDATED)


async def test_a_second_step_is_needed_where_the_project_says_so_unless_the_key_bypasses_it(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client("two-step")
    email, person = await client.person()
    token = await key(deployment, client)
    await refused(check(deployment, token, email), Reason.SECOND_FACTOR_REQUIRED)
    await refused(check(deployment, token, email, NEW), Reason.BAD_CREDENTIALS)
    bypassing = await key(deployment, client, bypass_second_factor=True)
    assert (await check(deployment, bypassing, email)).user_id == person.account.user_id


async def test_every_call_needs_its_scope(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, person = await client.person()
    token, user_id = await key(deployment, client, ["act_as"]), person.account.user_id
    for call in (
        check(deployment, token, email),
        find(deployment, token, email=email),
        add(deployment, token),
        edit(deployment, token, user_id),
        remove(deployment, token, user_id),
    ):
        await refused(call, Reason.SCOPE_MISSING)


async def test_a_user_is_found_by_id_address_and_user_name(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    token, username = await key(deployment, client), name()
    made = await add(deployment, token, username=username)
    for by in ({"user_id": made.user_id}, {"email": made.email.upper()}, {"username": username.upper()}):
        assert await find(deployment, token, **by) == made
    await refused(find(deployment, token, email=address()), Reason.NOT_FOUND)
    await refused(find(deployment, token, username=""), Reason.NOT_FOUND)
    await refused(find(deployment, token), Reason.INVALID_PARAMETER)


async def test_the_user_of_another_project_is_not_there_in_any_call(deployment: Deployment, refused: Refused) -> None:
    client, elsewhere = await deployment.client(), await deployment.client()
    email, person = await client.person()
    token, user_id = await key(deployment, elsewhere), person.account.user_id
    for call in (
        find(deployment, token, user_id=user_id),
        find(deployment, token, email=email),
        edit(deployment, token, user_id, first_name="Eve"),
        remove(deployment, token, user_id),
    ):
        await refused(call, Reason.NOT_FOUND)
    await refused(check(deployment, token, email), Reason.BAD_CREDENTIALS)
    await refused(add(deployment, token, user_id=user_id), Reason.ALREADY_EXISTS)


async def test_an_added_user_is_pending_until_he_follows_the_link(deployment: Deployment) -> None:
    client = await deployment.client()
    token = await key(deployment, client)
    new = accounts_pb2.NewProfile(first_name="Ada", gender="female", birth_date="1815-12-10")
    made = await add(deployment, token, username=name(), profile=new)
    assert (made.state, made.email_verified) == (accounts_pb2.ACCOUNT_STATE_PENDING, False)
    stored = await profile(deployment, made.user_id)
    assert (stored.first_name, stored.gender, stored.birth_date) == ("Ada", "female", "1815-12-10")
    await use(deployment, await deployment.link(made.email, "confirm_email"))
    assert (await check(deployment, token, made.username)).state == accounts_pb2.ACCOUNT_STATE_ACTIVE


async def test_adding_again_returns_the_first_and_mails_once(deployment: Deployment) -> None:
    client = await deployment.client()
    token = await key(deployment, client)
    said = {"user_id": str(uuid4()), "email": address(), "username": name()}
    made = await asyncio.gather(*(add(deployment, token, **said) for _ in range(5)))
    again = await add(deployment, token, **said)
    assert {each.user_id for each in (*made, again)} == {said["user_id"]}
    await deployment.mail(said["email"], "confirm_email")
    await asyncio.sleep(0.2)
    assert len(await deployment.mails(said["email"])) == 1


async def test_a_user_that_cannot_be_added_leaves_nothing_behind(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    token = await key(deployment, client)
    first = await add(deployment, token, username=name())
    cases: list[tuple[dict[str, Any], Reason]] = [
        ({"email": first.email.upper()}, Reason.EMAIL_TAKEN),
        ({"username": first.username.upper()}, Reason.USERNAME_TAKEN),
        ({"password": "short"}, Reason.WEAK_PASSWORD),
        ({"email": "nobody"}, Reason.INVALID_PARAMETER),
        ({"username": "four"}, Reason.INVALID_PARAMETER),
        ({"profile": accounts_pb2.NewProfile(gender="none of your business")}, Reason.INVALID_PARAMETER),
    ]
    for fields, reason in cases:
        user_id = str(uuid4())
        await refused(add(deployment, token, user_id=user_id, **fields), reason)
        await refused(find(deployment, token, user_id=user_id), Reason.NOT_FOUND)


async def test_an_edit_needs_the_users_present_password(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    _, person = await client.person()
    token, user_id = await key(deployment, client), person.account.user_id
    for password in ("", NEW):
        call = edit(deployment, token, user_id, current_password=password, first_name="Eve", password=NEW)
        await refused(call, Reason.BAD_CREDENTIALS)
    assert (await profile(deployment, user_id)).first_name == ""


async def test_guessing_the_present_password_is_limited(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    _, person = await client.person()
    token, user_id = await key(deployment, client), person.account.user_id
    for _ in range(10):
        await refused(edit(deployment, token, user_id, current_password=NEW), Reason.BAD_CREDENTIALS)
    await refused(edit(deployment, token, user_id), Reason.RATE_LIMITED)


async def test_an_edited_password_ends_every_session_and_tells_the_user(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    email, person = await client.person()
    token = await key(deployment, client)
    await edit(deployment, token, person.account.user_id, password=NEW, first_name="Ada", gender="female")
    await refused(client.authenticate(person.tokens.access_token), Reason.TOKEN_INVALID)
    await refused(check(deployment, token, email), Reason.BAD_CREDENTIALS)
    assert (await check(deployment, token, email, NEW)).user_id == person.account.user_id
    await deployment.mail(email, "password_changed")
    stored = await profile(deployment, person.account.user_id)
    assert (stored.first_name, stored.gender) == ("Ada", "female")


async def test_edited_names_leave_sessions_alone(deployment: Deployment) -> None:
    client = await deployment.client()
    _, person = await client.person()
    token = await key(deployment, client)
    await edit(deployment, token, person.account.user_id, first_name="Ada", last_name="Lovelace")
    await client.authenticate(person.tokens.access_token)


async def test_an_edited_address_is_unproven_and_the_old_one_can_undo_it(
    deployment: Deployment, refused: Refused
) -> None:
    client = await deployment.client()
    email, person = await client.person()
    token, new = await key(deployment, client), address()
    changed = await edit(deployment, token, person.account.user_id, email=new)
    assert (changed.email, changed.email_verified) == (new, False)
    assert changed.state == accounts_pb2.ACCOUNT_STATE_ACTIVE
    await refused(client.authenticate(person.tokens.access_token), Reason.TOKEN_INVALID)
    await use(deployment, await deployment.link(new, "confirm_email"))
    assert (await find(deployment, token, email=new)).email_verified
    await use(deployment, await deployment.link(email, "email_changed"))
    assert (await find(deployment, token, user_id=person.account.user_id)).email == email


async def test_an_edit_that_is_refused_changes_nothing(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, person = await client.person()
    other, _ = await client.person()
    token, user_id = await key(deployment, client), person.account.user_id
    cases: list[tuple[dict[str, Any], Reason]] = [
        ({"email": other}, Reason.EMAIL_TAKEN),
        ({"email": "nobody"}, Reason.INVALID_PARAMETER),
        ({"password": "short"}, Reason.WEAK_PASSWORD),
        ({"first_name": "x" * 101}, Reason.INVALID_PARAMETER),
        ({"gender": "none of your business"}, Reason.INVALID_PARAMETER),
    ]
    for fields, reason in cases:
        wanted = {"email": address(), "password": NEW, "last_name": "Eve"} | fields
        await refused(edit(deployment, token, user_id, **wanted), reason)
    assert (await check(deployment, token, email)).email == email
    assert (await profile(deployment, user_id)).last_name == ""
    await client.authenticate(person.tokens.access_token)


async def test_a_user_is_removed_at_once_and_once(deployment: Deployment, refused: Refused) -> None:
    client = await deployment.client()
    email, person = await client.person()
    token, user_id = await key(deployment, client), person.account.user_id
    answers = await asyncio.gather(*(remove(deployment, token, user_id) for _ in range(5)), return_exceptions=True)
    assert len([each for each in answers if isinstance(each, accounts_pb2.Account)]) == 1
    assert {each.reason for each in answers if isinstance(each, GatepostError)} == {Reason.NOT_FOUND}
    await refused(client.authenticate(person.tokens.access_token), Reason.TOKEN_INVALID)
    await refused(find(deployment, token, email=email), Reason.NOT_FOUND)


@pytest.mark.parametrize("call", [find, edit, remove])
async def test_what_is_no_id_is_refused(deployment: Deployment, refused: Refused, call: Callable[..., Any]) -> None:
    client = await deployment.client()
    token = await key(deployment, client)
    await refused(call(deployment, token, user_id="1"), Reason.INVALID_PARAMETER)
