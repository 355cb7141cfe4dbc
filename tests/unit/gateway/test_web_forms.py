"""Every route that changes something reads a form that is checked to be ours; the table proves it."""

from dataclasses import dataclass

import pytest
from unit.gateway.a_call import a_call

from gateway.call import Call
from gateway.dialect import Route
from gateway.fields import text
from gateway.guards import ANYONE
from gateway.limits import Limit
from gateway.pages import PAGES
from gateway.reply import Reply
from gateway.web.forms import PageForm, protected
from gateway.web.mistakes import mistakes
from gateway.web.templates import render
from runtime.errors import GatepostError, Reason, Rule, Violation, missing

CHANGING = [route for route in PAGES.routes if not set(route.methods.split()) <= {"GET", "HEAD"}]


@dataclass(frozen=True, slots=True)
class Demanding(PageForm):
    name: str = text()


async def without_form(_call: Call) -> Reply:
    return Reply()


async def with_form(_call: Call, form: PageForm) -> Reply:
    return Reply(json={"next": form.next})


async def with_demanding_form(_call: Call, _form: Demanding) -> Reply:
    return Reply()


@pytest.mark.parametrize("route", CHANGING, ids=lambda route: route.path)
async def test_no_form_reaches_its_handler_unchecked(route: Route) -> None:
    with pytest.raises(GatepostError) as caught:
        await route.handler(a_call(method="POST"), route.form())
    assert caught.value.reason is Reason.ROLE_FORBIDDEN


def test_pages_show_and_act_by_different_routes() -> None:
    assert all(route.methods in {"GET", "GET HEAD", "POST"} for route in PAGES.routes)


@pytest.mark.parametrize(
    ("methods", "handler"), [("POST", without_form), ("POST", with_demanding_form), ("GET POST", with_form)]
)
def test_a_route_that_could_not_be_checked_stops_the_start(methods: str, handler: object) -> None:
    with pytest.raises(ValueError, match="/page must"):
        protected([Route(methods, "/page", handler, ANYONE, Limit.ORDINARY)])  # type: ignore[arg-type]


def test_a_checked_route_reads_the_same_form() -> None:
    (route,) = protected([Route("POST", "/page", with_form, ANYONE, Limit.ORDINARY)])
    assert route.form is PageForm


def test_mistakes_are_named_by_field_and_empty_elsewhere() -> None:
    worded = mistakes(missing("login", "password"), {"login": "email"})
    assert list(worded.fields) == ["email", "password"]
    assert worded.fields["first_name"] == ""


def test_a_reason_that_means_one_field_marks_it() -> None:
    assert mistakes(GatepostError(Reason.EMAIL_TAKEN)).fields["email"]


def test_what_the_core_says_in_english_is_not_shown() -> None:
    violation = Violation("password", Rule.WEAK, "SECRET SENTENCE")
    worded = mistakes(GatepostError(Reason.WEAK_PASSWORD, violations=(violation,)))
    assert "SECRET" not in worded.alert + "".join(worded.fields.values())


def test_templates_escape_every_value() -> None:
    evil = "\"><script>alert('x')</script>"
    html = render("app.html") + render("outbox.html", messages=[], to=evil, first=True, older="")
    assert "<script" not in html
    assert "&lt;script&gt;" in html
