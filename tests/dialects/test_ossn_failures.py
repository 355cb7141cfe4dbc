"""Every way in which OSSN says no, row by row of its contract, in both status modes, against the running stack."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from dialects.ossn_client import PASSWORD, Answer, Ossn, User, new_name, new_site

KEY = (401, "106", "Invalid API KEY token")
FORBIDDEN = (403, "106", "Invalid API KEY token")
CREDENTIALS = (401, "105", "Invalid username or password!")
NO_USER = (404, "103", "No such a user exists")
NO_METHOD = (404, "101", "Invalid Method")
NO_VERSION = (404, "107", "Invalid API version")
AUTHENTICATE = "api/v1.0/user_authenticate"


@pytest.fixture(scope="session")
def user(ossn: Ossn) -> User:
    return ossn.user()


def empty(*names: str) -> tuple[int, str, str]:
    return 400, "106", f"One or more input expected , is empty. Missing: {', '.join(names)}."


# Gates, in their order: version, service, key, then the service


@pytest.mark.parametrize("path", ["api/v3.0/user_authenticate", "api/v1.1/x", "api/v10.0", "api/v2.00/user/delete"])
async def test_an_unknown_version_goes_before_everything(ossn: Ossn, path: str) -> None:
    (await ossn.call(path, api_key_token=None)).refused(*NO_VERSION)


@pytest.mark.parametrize(
    "path", ["api/v1.0/user_dance", "api/v1.0", "api/v1.0/user/delete", "api/v2.0/user_authenticate"]
)
async def test_an_unknown_service_goes_before_the_key(ossn: Ossn, path: str) -> None:
    (await ossn.call(path, api_key_token="wrong")).refused(*NO_METHOD)


async def test_a_method_that_is_neither_get_nor_post(ossn: Ossn) -> None:
    url = f"{ossn.stack.url}/t/{ossn.project}/{AUTHENTICATE}"
    async with ossn.session.delete(url) as answer:
        body = await answer.json()
        assert answer.status == (200 if ossn.mode == "legacy" else 405)
        assert answer.headers["Allow"] == "GET, POST"
    assert (body["payload"], body["code"], body["message"]) == (False, "101", "Invalid Method")


@pytest.mark.parametrize("key", [None, "", "0" * 64, "x", "ä" * 64])
async def test_a_key_that_is_missing_or_wrong_goes_before_the_input(ossn: Ossn, key: str | None) -> None:
    (await ossn.call(AUTHENTICATE, api_key_token=key)).refused(*KEY)
    (await ossn.authenticate("nobody", api_key_token=key)).refused(*KEY)


async def test_a_key_that_was_revoked(ossn: Ossn, user: User) -> None:
    stack = ossn.stack
    made = stack.cli("key", "create", "--project", ossn.project, "--status-mode", ossn.mode)
    stack.cli("key", "revoke", made["id"])
    (await replace(ossn, key=made["api_key_token"]).authenticate(user.username)).refused(*KEY)


async def test_a_key_for_another_network(ossn: Ossn, user: User) -> None:
    (await ossn.with_key("--network", "192.0.2.0/24").authenticate(user.username)).refused(*KEY)


async def test_a_merchant_is_named_although_the_key_is_unknown(ossn: Ossn) -> None:
    answer = await ossn.authenticate("nobody", api_key_token="wrong")
    assert (answer.body["merchant"], answer.body["url"]) == ("A Site", f"{ossn.stack.url}/")
    assert isinstance(answer.body["time_token"], int)
    elsewhere = await replace(ossn, project="nowhere", mode="legacy").authenticate("nobody", api_key_token="wrong")
    assert elsewhere.body["merchant"] == "Gatepost"


async def test_the_projects_status_mode_holds_where_the_key_alone_says_whose_it_is(ossn: Ossn) -> None:
    made = ossn.stack.cli("key", "create", "--project", ossn.project, "--scope", "user:read")
    data = {"api_key_token": made["api_key_token"], "username": "nobody", "password": PASSWORD}
    async with ossn.session.post(f"{ossn.stack.url}/{AUTHENTICATE}", data=data) as answer:
        Answer(ossn.mode, answer.status, await answer.json(), dict(answer.headers)).refused(*FORBIDDEN)


async def test_a_project_that_does_not_serve_this_dialect(ossn: Ossn) -> None:
    site = new_site(ossn.stack, ossn.session, ossn.mode)
    ossn.stack.cli("project", "update", site.project, "--dialect", "ihopr")
    (await site.authenticate("nobody")).refused(*NO_VERSION)


# What a key may do


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("api/v1.0/user_add", {}),
        ("api/v1.0/user_edit", {"guid": "1"}),
        ("api/v2.0/user/delete", {"guid": "1"}),
    ],
)
async def test_a_key_without_the_scope(ossn: Ossn, path: str, parameters: dict[str, Any]) -> None:
    (await ossn.with_key().call(path, **parameters)).refused(*FORBIDDEN)


async def test_a_key_that_may_not_authenticate_or_read(ossn: Ossn, user: User) -> None:
    key = ossn.with_key("--scope", "user:create")
    (await key.authenticate(user.username)).refused(*FORBIDDEN)
    (await key.details(username=user.username)).refused(*FORBIDDEN)


async def test_a_key_that_does_not_allow_credentials_in_a_query_string(ossn: Ossn, user: User) -> None:
    key = ossn.with_key("--no-query-credentials")
    (await key.authenticate(user.username, how="query")).refused(*KEY)
    url = f"{ossn.stack.url}/t/{ossn.project}/{AUTHENTICATE}?password={PASSWORD}"
    async with ossn.session.post(url, data={"api_key_token": key.key, "username": user.username}) as answer:
        assert (await answer.json())["code"] == "106"
    assert (await key.authenticate(user.username)).payload["username"] == user.username


# user_authenticate


async def test_no_username(ossn: Ossn) -> None:
    (await ossn.authenticate("")).refused(*empty("username"))


async def test_no_password(ossn: Ossn, user: User) -> None:
    (await ossn.authenticate(user.username, "")).refused(*empty("password"))
    (await ossn.call(AUTHENTICATE)).refused(*empty("username", "password"))


async def test_an_unknown_user_and_a_wrong_password_read_alike(ossn: Ossn, user: User) -> None:
    for login in (user.username, user.email, new_name(), f"{new_name()}@example.com"):
        (await ossn.authenticate(login, "not the password")).refused(*CREDENTIALS)


async def test_an_unknown_user_is_told_where_the_site_wants_it(ossn: Ossn) -> None:
    site = new_site(ossn.stack, ossn.session, ossn.mode)
    ossn.stack.cli("project", "update", site.project, "--switch", "ossn.legacy_103")
    known = site.user()
    (await site.authenticate(new_name())).refused(*NO_USER)
    (await site.authenticate(known.username, "not the password")).refused(*CREDENTIALS)


async def test_who_is_not_validated_is_told_only_with_the_right_password(ossn: Ossn) -> None:
    pending = ossn.user("--unverified")
    (await ossn.authenticate(pending.username)).refused(403, "104", "User not validated")
    (await ossn.authenticate(pending.username, "not the password")).refused(*CREDENTIALS)


async def test_a_disabled_user_reads_like_a_wrong_password(ossn: Ossn) -> None:
    closed = ossn.user()
    ossn.stack.cli("user", "disable", closed.email, "--project", ossn.project)
    (await ossn.authenticate(closed.username)).refused(*CREDENTIALS)


async def test_too_many_wrong_passwords(ossn: Ossn) -> None:
    guessed = ossn.user()
    for _ in range(10):
        await ossn.authenticate(guessed.username, "not the password")
    answer = await ossn.authenticate(guessed.username, "not the password")
    answer.refused(429, "105", "Invalid username or password!")
    assert int(answer.headers["Retry-After"]) >= 1


async def test_a_site_with_a_second_step_refuses_unless_the_key_may_pass(ossn: Ossn) -> None:
    site = new_site(ossn.stack, ossn.session, ossn.mode, "--sign-in", "two-step")
    person = site.user()
    (await site.authenticate(person.username)).refused(401, "105", "Second factor required")
    (await site.authenticate(person.username, "not the password")).refused(*CREDENTIALS)
    bypassing = site.with_key("--bypass-second-factor")
    assert (await bypassing.authenticate(person.username)).payload["username"] == person.username


async def test_query_and_body_that_disagree(ossn: Ossn, user: User) -> None:
    url = f"{ossn.stack.url}/t/{ossn.project}/{AUTHENTICATE}?username=somebody"
    data = {"api_key_token": ossn.key, "username": user.username, "password": PASSWORD}
    async with ossn.session.post(url, data=data) as answer:
        body = await answer.json()
    assert (body["code"], body["message"]) == ("103", "The username differs between query and body.")


# user_details


async def test_details_of_nobody(ossn: Ossn) -> None:
    for by in (
        {"guid": "999999"},
        {"guid": "9" * 30},
        {"guid": "0"},
        {"username": "nobody"},
        {"email": "n@example.com"},
    ):
        (await ossn.details(**by)).refused(*NO_USER)
    (await ossn.details(username="user999999")).refused(*NO_USER)


async def test_details_without_saying_of_whom(ossn: Ossn) -> None:
    (await ossn.details()).refused(*empty("guid"))


async def test_a_guid_that_is_no_number(ossn: Ossn) -> None:
    (await ossn.details(guid="one")).refused(422, "103", "The guid must be an integer.")


async def test_a_user_of_another_site_is_nobody(ossn: Ossn, user: User) -> None:
    other = new_site(ossn.stack, ossn.session, ossn.mode)
    (await other.details(username=user.username)).refused(*NO_USER)
    (await other.call("api/v2.0/user/delete", guid="1")).refused(*NO_USER)


# user_add


async def test_adding_names_what_is_missing(ossn: Ossn) -> None:
    names = ("username", "firstname", "lastname", "email", "reemail", "password", "gender", "birthdate")
    (await ossn.call("api/v1.0/user_add")).refused(*empty(*names))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"reemail": "other@example.com"}, "The reemail must be the same as the email."),
        ({"email": "nobody", "reemail": "nobody"}, "The email must be a valid email address."),
        ({"gender": "other"}, "The gender must be male or female."),
        ({"birthdate": "1988-02-03"}, "The birthdate must be a date as dd/mm/yyyy."),
        ({"birthdate": "31/02/1988"}, "The birthdate must be a date as dd/mm/yyyy."),
        ({"username": "four"}, "The username must be 5 to 64 letters and digits."),
        ({"username": "ann-lee"}, "The username must be 5 to 64 letters and digits."),
    ],
)
async def test_adding_with_a_wrong_input(ossn: Ossn, changes: dict[str, Any], sentence: str) -> None:
    (await ossn.add(**changes)).refused(422, "103", sentence)


async def test_adding_with_an_address_or_a_name_in_use(ossn: Ossn, user: User) -> None:
    (await ossn.add(email=user.email.upper())).refused(409, "103", "email:inuse")
    (await ossn.add(username=user.username.upper())).refused(409, "103", "username:inuse")


async def test_a_weak_password_is_answered_with_the_least_length(ossn: Ossn) -> None:
    (await ossn.add(password="short")).refused(422, "107", "8")
    site = new_site(ossn.stack, ossn.session, ossn.mode, "--password-min-length", "20")
    (await site.add()).refused(422, "107", "20")


# user_edit, user/delete


@pytest.fixture
def edit(ossn: Ossn) -> Callable[..., Any]:
    """Return a function that edits a new user, with some of the parameters changed."""
    person = ossn.user()

    async def send(**changes: Any) -> Any:
        guid = (await ossn.details(username=person.username)).payload["guid"]
        parameters = {
            "guid": guid,
            "new_email": person.email,
            "new_first_name": "Bea",
            "new_last_name": "Li",
            "current_password": PASSWORD,
        }
        return await ossn.call("api/v1.0/user_edit", **parameters | changes)

    return send


async def test_editing_what_cannot_be(edit: Callable[..., Any], user: User) -> None:
    names = ("guid", "new_email", "new_first_name", "new_last_name", "current_password")
    (await edit(**dict.fromkeys(names, ""))).refused(*empty(*names))
    (await edit(guid="999999")).refused(*NO_USER)
    (await edit(current_password="not the password")).refused(*CREDENTIALS)
    (await edit(new_email=user.email)).refused(409, "103", "email:inuse")
    (await edit(new_gender="other")).refused(422, "103", "The new_gender must be male or female.")
    (await edit(new_password="short")).refused(422, "107", "8")


async def test_an_administrator_is_not_deleted(ossn: Ossn) -> None:
    chief = ossn.user("--role", "admin")
    guid = (await ossn.details(username=chief.username)).payload["guid"]
    answer = await ossn.call("api/v2.0/user/delete", guid=guid)
    answer.refused(409, "200", "Administrators cannot be deleted")
    assert (await ossn.details(username=chief.username)).payload["guid"] == guid


# /avatar


async def test_a_picture_that_is_not_there_is_404_in_both_modes(ossn: Ossn, user: User) -> None:
    icon = (await ossn.details(username=user.username)).payload["icon"]["small"]
    head, _, file = icon.rpartition("/")
    wrong = (
        f"{head}/{'0' * 32}.jpeg",
        f"{head}/{file.removesuffix('.jpeg')}",
        icon.replace("/small/", "/huge/"),
        icon.replace("/small/", "/large/"),
        icon.replace(user.username, "nobodyatall"),
        icon.replace(user.username, "user999999"),
        icon.replace(user.username, user.email),
    )
    for url in wrong:
        async with ossn.session.get(url) as answer:
            body = await answer.json()
            assert (answer.status, body["payload"], body["code"]) == (404, False, "103"), url
            assert answer.headers["Cache-Control"] == "no-store"
