"""Every administrative command on a running stack: what a program gets, and what happens."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import ClientSession
from conftest import GatepostStack
from dialects.ihopr_client import PASSWORD, App, Ihopr, Person, app_maker

from gatepost_cli import stack as stacks


@pytest.fixture
def project(stack: GatepostStack) -> str:
    name = f"p{uuid4().hex[:12]}"
    stack.cli("project", "create", name, "--role", "user", "--role", "Editor")
    return name


def refusal(stack: GatepostStack, *arguments: str) -> str:
    done = stack.run(*arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr


def test_the_demo_credentials_sign_in(stack: GatepostStack) -> None:
    demo = stack.cli("user", "list")["users"]
    assert "demo@example.com" in [user["email"] for user in demo]


def test_a_created_project_is_shown_and_listed_as_created(stack: GatepostStack, project: str) -> None:
    shown = stack.cli("project", "show", project)
    assert (shown["project"], shown["sign_in"], shown["roles"]) == (project, "none", ["user", "Editor"])
    assert shown in stack.cli("project", "list")["projects"]


def test_an_update_of_a_project_changes_what_is_named_and_nothing_else(stack: GatepostStack, project: str) -> None:
    before = stack.cli("project", "update", project, "--self-assignable-role", "Editor")
    after = stack.cli("project", "update", project, "--sign-in", "otp", "--host", f"{project}.example.com", "--disable")
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"sign_in", "hosts", "disabled"}
    cleared = stack.cli("project", "update", project, "--no-self-assignable-roles", "--no-hosts", "--enable")
    assert (cleared["self_assignable_roles"], cleared["hosts"], cleared["disabled"]) == ([], [], False)


def test_a_created_app_names_id_and_secret_twice(stack: GatepostStack, project: str) -> None:
    made = stack.cli("app", "create", "An app", "--project", project)
    assert made["app_id"] == made["client_id"]
    assert made["app_secret"] == made["client_secret"]
    assert (made["app_id"].isdigit(), len(made["app_secret"])) == (True, 32)


def test_an_app_is_shown_with_what_it_was_created_with_but_its_secret(stack: GatepostStack, project: str) -> None:
    options = ("--type", "public", "--redirect-url", "https://a.example/cb", "--scope", "email")
    more = ("--origin", "https://a.example", "--plain-pkce")
    made = stack.cli("app", "create", "An app", "--project", project, *options, *more)
    shown = stack.cli("app", "show", made["client_id"])
    assert shown == {name: made[name] for name in made if name not in {"client_secret", "app_secret"}}
    assert (shown["type"], shown["allow_plain_pkce"]) == ("public", True)
    assert stack.cli("app", "list", "--project", project)["apps"] == [shown]


def test_a_rotated_secret_leaves_the_one_before_until_told_otherwise(stack: GatepostStack, project: str) -> None:
    client_id = stack.cli("app", "create", "An app", "--project", project)["client_id"]
    second = stack.cli("app", "secret", "rotate", client_id)
    assert len(stack.cli("app", "show", client_id)["secrets"]) == 2
    third = stack.cli("app", "secret", "rotate", client_id, "--at-once")
    assert stack.cli("app", "show", client_id)["secrets"] == [third["secret"]]
    assert second["client_secret"] != third["client_secret"]


def test_an_app_can_be_renamed_and_disabled(stack: GatepostStack, project: str) -> None:
    client_id = stack.cli("app", "create", "An app", "--project", project)["client_id"]
    changed = stack.cli("app", "update", client_id, "--name", "Another", "--disable")
    assert (changed["name"], changed["disabled"]) == ("Another", True)


def test_an_api_key_is_listed_until_it_is_revoked(stack: GatepostStack, project: str) -> None:
    made = stack.cli("key", "create", "--project", project, "--scope", "user:read")
    token = made.pop("api_key_token")
    assert (len(token), made["scopes"]) == (64, ["user:read"])
    assert stack.cli("key", "list", "--project", project)["keys"] == [made]
    stack.cli("key", "revoke", made["id"])
    assert stack.cli("key", "list", "--project", project)["keys"] == []


def test_an_app_takes_its_secret_in_a_query_string_unless_told_otherwise(stack: GatepostStack, project: str) -> None:
    old = stack.cli("app", "create", "Old", "--project", project)
    assert (old["allow_query_secret"], old["status_mode"]) == (True, None)
    options = (
        "--no-query-secret",
        "--status-mode",
        "strict",
        "--description",
        "New",
        "--website",
        "https://example.org",
    )
    new = stack.cli("app", "create", "New", "--project", project, *options)
    told = (new["allow_query_secret"], new["status_mode"], new["description"], new["website"])
    assert told == (False, "strict", "New", "https://example.org")
    changed = stack.cli("app", "update", new["client_id"], "--query-secret", "--status-mode", "project")
    assert (changed["allow_query_secret"], changed["status_mode"], changed["description"]) == (True, None, "New")


def test_an_api_key_is_made_with_what_it_may_do_and_from_where(stack: GatepostStack, project: str) -> None:
    plain = stack.cli("key", "create", "--project", project)
    assert (plain["allow_query_credentials"], plain["bypass_second_factor"], plain["networks"]) == (True, False, [])
    options = (
        "--network",
        "192.0.2.0/24",
        "--bypass-second-factor",
        "--no-query-credentials",
        "--status-mode",
        "strict",
    )
    strict = stack.cli("key", "create", "--project", project, *options)
    assert (strict["allow_query_credentials"], strict["bypass_second_factor"]) == (False, True)
    assert (strict["networks"], strict["status_mode"]) == (["192.0.2.0/24"], "strict")


def test_a_user_is_shown_with_account_and_profile(stack: GatepostStack, project: str) -> None:
    email = f"{uuid4().hex}@example.com"
    options = ("--username", "annika7", "--first-name", "Ann", "--last-name", "Lee", "--role", "editor")
    made = stack.cli("user", "create", email, "--project", project, "--password", PASSWORD, *options)["user"]
    assert (made["email"], made["state"], made["role"], made["verified"]) == (email, "active", "Editor", True)
    assert (made["username"], made["first_name"], made["last_name"]) == ("annika7", "Ann", "Lee")
    assert (made["number"], len(made["public_id"])) == (1, 32)
    assert stack.cli("user", "show", email, "--project", project)["user"] == made
    assert stack.cli("user", "list", "--project", project)["users"] == [made]


def test_an_unverified_user_is_pending_until_enabled(stack: GatepostStack, project: str) -> None:
    made = stack.cli("user", "create", "a@example.com", "--project", project, "--unverified")["user"]
    assert (made["state"], made["verified"]) == ("pending", False)
    enabled = stack.cli("user", "enable", "a@example.com", "--project", project)["user"]
    assert (enabled["state"], enabled["verified"]) == ("active", True)


def test_a_role_that_the_project_lacks_is_refused(stack: GatepostStack, project: str) -> None:
    stack.cli("user", "create", "a@example.com", "--project", project)
    assert stack.cli("user", "role", "a@example.com", "EDITOR", "--project", project)["user"]["role"] == "Editor"
    assert "user, Editor" in refusal(stack, "user", "role", "a@example.com", "king", "--project", project)


def test_a_deleted_user_is_shown_once_more_and_then_gone(stack: GatepostStack, project: str) -> None:
    stack.cli("user", "create", "a@example.com", "--project", project, "--first-name", "Ann")
    assert stack.cli("user", "delete", "a@example.com", "--project", project)["user"]["first_name"] == "Ann"
    missing = refusal(stack, "user", "show", "a@example.com", "--project", project)
    assert f"no such account in the project '{project}'" in missing


def test_an_address_in_use_is_refused_with_its_reason(stack: GatepostStack, project: str) -> None:
    stack.cli("user", "create", "a@example.com", "--project", project)
    done = stack.run("user", "create", "A@example.com", "--project", project, "--json")
    assert (done.returncode, '"reason": "email_taken"' in done.stdout) == (1, True)


async def test_disabling_and_signing_out_end_sessions_at_once(stack: GatepostStack) -> None:
    async with ClientSession() as session:
        client = Ihopr(session, stack.url)
        app = await asyncio.to_thread(app_maker(stack))
        person, tokens = await client.signed_in(app)
        await asyncio.to_thread(stack.cli, "user", "sign-out", person.email, "--project", app.project)
        assert (await client.call("GET", "user", token=tokens["access_token"])).status == 401
        again = await client.signed_in_again(app, person)
        await asyncio.to_thread(stack.cli, "user", "disable", person.email, "--project", app.project)
        assert (await client.call("GET", "user", token=again["access_token"])).status == 401


async def test_the_outbox_lists_what_was_mailed_with_its_code(stack: GatepostStack) -> None:
    async with ClientSession() as session:
        client = Ihopr(session, stack.url)
        app: App = await asyncio.to_thread(app_maker(stack), "otp")
        person, asked = await client.signup(app)
        code = await client.mailed_code(person.email)
        (message, *_) = await asyncio.to_thread(stack.outbox, person.email)
        assert (message["to"], message["channel"], message["code"]) == (person.email, "mail", code)
        assert {"id", "template", "subject", "text", "html", "link", "created_at", "status"} <= message.keys()
        body = {"otp_code": int(code), "otp_token": asked["otp_token"]}
        assert (await client.success("POST", "otp-code", body))["code"]


def test_rotated_keys_are_listed_newest_first(stack: GatepostStack) -> None:
    before = stack.cli("keys", "list")["keys"]
    made = stack.cli("keys", "rotate")["key"]
    after = stack.cli("keys", "list")["keys"]
    assert [key["id"] for key in after] == [made["id"], *(key["id"] for key in before)]
    assert sum(key["active"] for key in after) == 1


def test_the_audit_trail_tells_who_did_what_to_whom(stack: GatepostStack, project: str) -> None:
    user_id = stack.cli("user", "create", "a@example.com", "--project", project)["user"]["id"]
    stack.cli("user", "role", "a@example.com", "Editor", "--project", project)
    events = stack.cli("audit", "tail", "--user", "a@example.com", "--project", project)["events"]
    assert [(each["action"], each["actor"]) for each in events] == [
        ("role.change", "service:cli"),
        ("account.create", "service:cli"),
    ]
    assert {each["user_id"] for each in events} == {user_id}


def test_the_doctor_finds_a_running_stack_well(stack: GatepostStack) -> None:
    answer = stack.cli("doctor")
    assert [check for check in answer["checks"] if check["status"] == "fail"] == []
    assert {"auth-service", "user-service", "notify-service", "gateway", "Valkey", "consistency"} <= {
        check["name"] for check in answer["checks"]
    }


def test_databases_of_a_running_stack_lack_no_migration(stack: GatepostStack) -> None:
    assert stack.cli("migrate") == {"applied": {"auth": [], "users": [], "notify": []}}


def test_migrate_brings_empty_databases_up_to_date(postgres: Any, stack: GatepostStack) -> None:
    words = ("auth", "users", "notify")
    dsns = {f"GATEPOST_{word.upper()}_POSTGRES_DSN": postgres.create_database() for word in words}
    elsewhere = GatepostStack(None, stack.environment | dsns)
    applied = elsewhere.cli("migrate")["applied"]
    assert all(applied[word] for word in words)
    assert elsewhere.cli("migrate")["applied"] == {word: [] for word in words}


def test_commands_work_with_the_environment_alone(stack: GatepostStack) -> None:
    running = stacks.load(stack.data_dir)
    elsewhere = GatepostStack(
        None,
        stack.environment
        | {
            "GATEPOST_AUTH_TARGET": running.auth_target,
            "GATEPOST_USERS_TARGET": running.users_target,
            "GATEPOST_NOTIFY_TARGET": running.notify_target,
            "GATEPOST_SERVICE_KEYS": ",".join(running.service_keys),
        },
    )
    assert elsewhere.cli("project", "show", "default")["project"] == "default"
    assert elsewhere.cli("user", "list")["users"]


def test_a_credential_of_another_installation_is_refused_with_advice(stack: GatepostStack) -> None:
    target = stacks.load(stack.data_dir).auth_target
    environment = {"GATEPOST_AUTH_TARGET": target, "GATEPOST_SERVICE_KEYS": "k" * 32}
    assert "GATEPOST_SERVICE_KEYS" in refusal(GatepostStack(None, stack.environment | environment), "project", "list")


async def test_what_the_commands_made_serves_an_app(stack: GatepostStack, project: str) -> None:
    made = await asyncio.to_thread(stack.cli, "app", "create", "An app", "--project", project)
    person = Person(f"{uuid4().hex}@example.com")
    options = ("--project", project, "--password", person.password, "--first-name", "Ann")
    await asyncio.to_thread(stack.cli, "user", "create", person.email, *options)
    async with ClientSession() as session:
        app = App(project, made["client_id"], made["client_secret"])
        tokens = await Ihopr(session, stack.url).signed_in_again(app, person)
    assert (tokens["user"]["email"], tokens["user"]["first_name"]) == (person.email, "Ann")
