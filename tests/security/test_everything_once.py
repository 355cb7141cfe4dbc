"""What holds for every request there is: secrets stay where they belong, and every answer is kept private."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from aiohttp import ClientSession
from conftest import GatepostStack
from security.databases import Databases
from security.recorder import Answered, Recorder
from security.walk import Walked, all_routes, route_of, walk
from security.world import World

# Public, the same for everybody, and named by what they show: kept by browsers for ever.
_KEPT = re.compile(r"(/t/[^/]+)?(/assets/|/pictures/|/avatar/|/content/uploads/|/v1/vorg-id/pictures/).*")
_COOKIE = re.compile(r"__Host-gatepost(-\w+)?=[^;]*; Path=/; Secure; HttpOnly; SameSite=Lax(; Max-Age=\d+)?", re.ASCII)
_POLICY = re.compile(
    r"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'( https://app\.example)*; "
    r"frame-ancestors 'none'; base-uri 'none'"
)
_DRAIN_SECONDS = 20
# What secrets are made of.
_WORD = re.compile(r"[\w.~+/=@%-]{8,}")


@pytest.fixture(scope="module")
async def walked(world: World) -> Walked:
    seen = Recorder()
    async with seen.session() as session:
        return await walk(world, seen, session)


@pytest.fixture(scope="module")
async def places(walked: Walked, stack: GatepostStack, databases: Databases, session: ClientSession) -> dict[str, str]:
    """Return what is written down anywhere once everything is delivered, by where."""
    assert stack.data_dir is not None
    await drained(databases)
    found = {f"log {path.name}": path.read_text(errors="replace") for path in stack.data_dir.rglob("*.log")}
    for process in stack.status()["processes"]:
        if process["metrics"]:
            async with session.get(f"{process['metrics']}/metrics") as answer:
                found[f"metrics of {process['name']} {process['index']}"] = await answer.text()
    rows = await databases.rows()
    found |= {table: "\n".join(lines) for table, lines in rows.items() if table != "notify.messages"}
    found["mails"] = "\n".join(without_own(json.loads(row)) for row in rows["notify.messages"])
    found["Valkey"] = await databases.valkey()
    found["pictures"] = "\n".join(everything_in(stack.data_dir / "media"))
    return found


async def drained(databases: Databases) -> None:
    """Wait until everything in auth-service's outbox is with notify-service."""
    async with asyncio.timeout(_DRAIN_SECONDS):
        while (await databases.rows())["auth.outbox"]:  # noqa: ASYNC110 it is another process's
            await asyncio.sleep(0.1)


def without_own(mail: Mapping[str, str]) -> str:
    """Return a mail without the code and the link that it was sent to bring."""
    text = json.dumps(mail)
    token = mail["link"].partition("token=")[2]
    for own in filter(None, (token, mail["code"])):
        text = text.replace(own, "")
    return text


def everything_in(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        yield path.name
        if path.is_file():
            yield path.read_bytes().decode("latin-1")


def test_much_was_seen(walked: Walked, places: Mapping[str, str]) -> None:
    names = set(walked.seen.secrets.values())
    assert len(walked.seen.secrets) > 500
    assert len(walked.seen.codes) > 10
    assert {"__Host-gatepost", "__Host-gatepost-visit", "access_token", "refresh_token", "csrf", "password"} <= names
    assert {"Authorization", "auth_key", "api_key_token", "client_secret", "sign", "handle", "token"} <= names
    assert sum(name.startswith("log ") for name in places) >= 1
    assert sum(name.startswith("metrics ") for name in places) >= 4
    assert all(places[name] for name in ("mails", "Valkey", "pictures", "auth.sessions", "auth.audit_events"))


def test_a_secret_is_written_down_nowhere(walked: Walked, places: Mapping[str, str]) -> None:
    assert found(walked.seen.secrets, places) == []


def test_a_mailed_code_is_written_down_nowhere_but_in_its_mail(walked: Walked, places: Mapping[str, str]) -> None:
    """A number of six digits stands somewhere by chance; what leaks does so again and again."""
    for place, text in places.items():
        by_chance = set(re.findall(r"(?<![\w.])[1-9][0-9]{5}(?![\w.])", text)) & walked.seen.codes
        assert len(by_chance) < 3, (place, by_chance)


def test_what_was_typed_wrong_is_written_down_nowhere(walked: Walked, places: Mapping[str, str]) -> None:
    email, password = walked.typed_wrong
    assert [place for place, text in places.items() if password in text] == []
    # Somebody may be about to prove an address that has no account: a decoy's challenge looks like any other.
    assert [place for place, text in places.items() if email in text and place != "Valkey"] == []


def test_every_secret_would_be_found_if_it_were_written_down(walked: Walked) -> None:
    for secret, name in walked.seen.secrets.items():
        line = f'{{"event": "a careless line", "body": "a={secret}&b=c", "at": "x"}}'
        assert found({secret: name}, {"a log": line}) == [("a log", name)]


def found(secrets: Mapping[str, str], places: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the places that hold a secret, and what it was called, each pair once."""
    hits = set()
    for place, text in places.items():
        words = " ".join(set(_WORD.findall(text)))  # each once: logs repeat themselves
        hits |= {(place, name) for secret, name in secrets.items() if secret in words}
    return sorted(hits)


# Headers


def test_every_endpoint_was_asked(walked: Walked) -> None:
    asked = {route_of(each.path, each.method) for each in walked.seen.answers if each.status < 400}
    assert all_routes() - asked == set()


def test_no_answer_may_be_kept_told_on_or_guessed_at(walked: Walked) -> None:
    for each in walked.seen.answers:
        public = _KEPT.fullmatch(each.path) and each.status in {200, 304}
        assert each.headers["Cache-Control"] == "no-store" or public, each
        assert each.headers["Referrer-Policy"] == "no-referrer", each
        assert each.headers["X-Content-Type-Options"] == "nosniff", each
        assert each.headers["Server"] == "gatepost", each
        assert "Access-Control-Allow-Origin" not in each.headers, each
        assert {"X-Powered-By", "Via", "X-Error-Detail"}.isdisjoint(each.headers), each


def test_no_page_can_be_framed_or_run_anything(walked: Walked) -> None:
    pages = [each for each in walked.seen.answers if each.is_page]
    assert len({each.path for each in pages}) > 40
    for each in pages:
        assert _POLICY.fullmatch(each.headers["Content-Security-Policy"]), each


def test_every_cookie_is_bound_to_this_host_and_out_of_reach(walked: Walked) -> None:
    cookies = [cookie for each in walked.seen.answers for cookie in each.cookies]
    assert {cookie.partition("=")[0] for cookie in cookies} >= {
        *("__Host-gatepost", "__Host-gatepost-visit", "__Host-gatepost-step", "__Host-gatepost-change"),
    }
    for cookie in cookies:
        assert _COOKIE.fullmatch(cookie), cookie


def test_a_form_that_was_taken_leads_on_and_is_not_sent_again_by_looking(walked: Walked) -> None:
    """Only a new secret is shown in the answer itself; it is never told again."""
    shown_at_once = {"pages POST /apps/new", "pages POST /apps/{client_id}/secrets"}
    for each in walked.seen.answers:
        route = route_of(each.path, each.method)
        if each.method == "POST" and route.startswith("pages ") and each.status < 400 and route not in shown_at_once:
            assert each.status == 303, each


def test_no_answer_sends_anywhere_but_here_or_to_the_app(walked: Walked) -> None:
    def leads_home(each: Answered) -> bool:
        target = each.headers.get("Location", "/")
        return target.startswith("https://app.example/") or bool(re.match(r"/(?![/\\])", target))

    assert [each for each in walked.seen.answers if not leads_home(each)] == []
