"""The local outbox as a page and as JSON."""

from aiohttp import ClientSession
from conftest import GatepostStack
from dialects.ihopr_client import App, Ihopr
from dialects.local_gateway import local_gateway


async def test_a_mail_is_listed_with_its_code_and_without_script(
    session: ClientSession, stack: GatepostStack, ihopr: Ihopr, otp_app: App
) -> None:
    person, _ = await ihopr.signup(otp_app)
    code = await ihopr.mailed_code(person.email)
    async with session.get(f"{stack.url}/outbox", params={"to": person.email}) as answer:
        page = await answer.text()
        assert answer.content_type == "text/html"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert f">{code}<" in page
    assert person.email in page
    assert "<script" not in page
    assert "style=" not in page


async def test_the_json_has_the_fields_that_the_command_has(
    session: ClientSession, stack: GatepostStack, ihopr: Ihopr, otp_app: App
) -> None:
    person, _ = await ihopr.signup(otp_app)
    await ihopr.mailed_code(person.email)
    (by_page,) = await ihopr.mails(person.email)
    (by_command,) = stack.outbox(person.email)
    assert by_page == {name: by_command[name] for name in by_page}
    wanted = {"id", "to", "channel", "template", "subject", "text", "html", "code", "link", "created_at", "status"}
    assert set(by_page) == wanted


async def test_one_mail_is_shown_with_its_html_in_a_sandbox(
    session: ClientSession, stack: GatepostStack, ihopr: Ihopr, otp_app: App
) -> None:
    person, _ = await ihopr.signup(otp_app)
    await ihopr.mailed_code(person.email)
    (mail,) = await ihopr.mails(person.email)
    async with session.get(f"{stack.url}/outbox/{mail['id']}") as answer:
        page = await answer.text()
        assert f'<iframe sandbox src="/outbox/{mail["id"]}/html"' in page
        assert "frame-src 'self'" in answer.headers["Content-Security-Policy"]
    async with session.get(f"{stack.url}/outbox/{mail['id']}/html") as answer:
        assert "sandbox" in answer.headers["Content-Security-Policy"].split("; ")
        assert mail["code"] in await answer.text()


async def test_a_mail_that_is_not_there(session: ClientSession, stack: GatepostStack) -> None:
    for name in ("00000000-0000-4000-8000-000000000000", "nothing", "%00", "..%2f"):
        async with session.get(f"{stack.url}/outbox/{name}") as answer:
            assert answer.status == 404


async def test_pages_of_other_origins_may_not_read_it(
    session: ClientSession, stack: GatepostStack, public_app: App
) -> None:
    async with session.get(f"{stack.url}/outbox/messages", headers={"Origin": "https://app.example"}) as answer:
        assert answer.status == 200
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_without_the_setting_there_is_no_outbox() -> None:
    async with local_gateway() as gateway, gateway.client.get("/outbox/messages") as answer:
        assert answer.status == 404


async def test_the_stylesheet_is_a_file(session: ClientSession, stack: GatepostStack) -> None:
    async with session.get(f"{stack.url}/outbox/style.css") as answer:
        assert (answer.status, answer.content_type) == (200, "text/css")
