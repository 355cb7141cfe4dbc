"""Pictures that were made to hurt, through user-service and both ways of uploading: refused, or made anew and clean.

Meanwhile everybody else is served, and user-service needs no more memory than its documentation says.
"""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from io import BytesIO
from uuid import uuid4

import pytest
import pytest_asyncio
from aiohttp import ClientSession, FormData
from conftest import GatepostStack
from dialects.own_pages import Visit, visit_maker
from dialects.redirect_client import site_maker
from dialects.vorgid_client import EDIT_PERSONAL, USER, Vorgid
from PIL import Image
from security.fuzzing import FULL
from security.hostile_pictures import CANARY, SCRIPT, Hostile, corpus, huge_metadata, spoiled, truncated
from security.watching import Watched, watching

from gatepost.users.v1 import pictures_pb2 as pb
from gatepost.users.v1 import profiles_pb2
from gateway.clients import Clients
from gateway.main import connect_services
from gateway.settings import GatewaySettings
from runtime.errors import GatepostError, Reason

LARGEST = "PNG of 16 bits, as large as may be"
REFUSALS = {Reason.INVALID_PARAMETER, Reason.PAYLOAD_TOO_LARGE}
SECONDS = 8.0
MORE_MEMORY = 2 * 400 * 1024 * 1024  # two threads, each with the largest picture allowed
KEPT_MEMORY = 80 * 1024 * 1024
_ENDS = {"image/jpeg": b"\xff\xd9", "image/png": b"IEND\xaeB`\x82"}


@pytest.fixture(scope="module")
def gallery(make_stack: Callable[..., GatepostStack]) -> GatepostStack:
    stack = make_stack()
    stack.up("--no-demo")
    return stack


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def services(gallery: GatepostStack) -> AsyncIterator[Clients]:
    """Yield the services as the gateway calls them."""
    assert gallery.data_dir is not None
    secrets = json.loads((gallery.data_dir / "secrets.json").read_text(encoding="utf-8"))
    addresses = {process["name"]: process["address"] for process in gallery.status()["processes"]}
    words = (("auth", "auth-service"), ("users", "user-service"), ("notify", "notify-service"))
    targets = {f"{word}_target": f"ipv4:{addresses[name]}" for word, name in words}
    clients = connect_services(GatewaySettings.model_validate({"service_keys": secrets["service_keys"][0], **targets}))
    yield clients
    await clients.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def user_id(services: Clients) -> str:
    profile = profiles_pb2.Profile(user_id=str(uuid4()), project_id=str(uuid4()))
    made = await services.profiles.CreateProfile(profiles_pb2.CreateProfileRequest(profile=profile))
    return made.profile.user_id


@pytest.fixture(scope="module", autouse=True)
def watched(gallery: GatepostStack) -> Iterator[Watched]:
    """Watch while the tests of this module run, and judge: everybody else is served, and memory has an end."""
    service = next(each for each in gallery.status()["processes"] if each["name"] == "user-service")
    with watching([f"{gallery.url}/healthz", f"{service['metrics']}/healthz"], service["pid"]) as seen:
        yield seen
    seen.judge(more=MORE_MEMORY, kept=KEPT_MEMORY)


async def put(services: Clients, user_id: str, each: Hostile) -> str:
    """Upload a picture; return its id, or nothing if it was refused as it may be."""
    request = pb.SetProfilePictureRequest(user_id=user_id, kind=pb.PICTURE_KIND_AVATAR, content=each.content)
    began = time.monotonic()
    try:
        answer = await services.pictures.SetProfilePicture(request)
    except GatepostError as refused:
        assert refused.reason in REFUSALS, each.name  # noqa: PT017 which of two
        assert not each.taken, each.name
        return ""
    finally:
        assert time.monotonic() - began < SECONDS, each.name
    if each.content:
        assert each.taken is not False, each.name
    return answer.profile.picture


async def judge(services: Clients, picture: str, name: str) -> None:
    """Check that nothing but pixels of a picture is left."""
    for size in (pb.PICTURE_SIZE_WHOLE, pb.PICTURE_SIZE_SMALL):
        kept = await services.pictures.GetPicture(pb.GetPictureRequest(id=picture, size=size))
        assert kept.content.endswith(_ENDS[kept.content_type]), name
        for word in (CANARY, b"<script", b"Exif", b"ICC_PROFILE", b"iCCP", b"tEXt", b"iTXt", b"PK\x03\x04", b"%PDF"):
            assert word not in kept.content, (name, word)
        with Image.open(BytesIO(kept.content)) as image:
            image.load()
            assert f"image/{(image.format or '').lower()}" == kept.content_type, name
            assert getattr(image, "n_frames", 1) == 1, name


async def test_what_hurts_is_refused_or_made_anew(services: Clients, user_id: str) -> None:
    taken = []
    for each in corpus():
        picture = await put(services, user_id, each)
        if picture:
            taken.append(each.name)
            await judge(services, picture, each.name)
    assert len(taken) > 10


async def test_what_breaks_off_is_refused_and_what_is_spoiled_breaks_nothing(services: Clients, user_id: str) -> None:
    for each in (*truncated(), *spoiled(3000 if FULL else 150)):
        picture = await put(services, user_id, each)
        if picture:
            await judge(services, picture, each.name)


async def test_many_at_once_take_no_more_memory_than_two(services: Clients, user_id: str) -> None:
    large = next(each for each in corpus() if each.name == LARGEST)
    calls = [put(services, user_id, large) for _ in range(3)]
    for result in await asyncio.gather(*calls, return_exceptions=True):
        assert isinstance(result, str | AssertionError | GatepostError)
    read = await services.profiles.GetProfile(profiles_pb2.GetProfileRequest(user_id=user_id))
    assert read.profile.user_id == user_id


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def visit(gallery: GatepostStack, session: ClientSession) -> Visit:
    """Return somebody signed in at the hosted pages."""
    made: Visit = await visit_maker(site_maker(gallery, session))()
    return made


@pytest.mark.parametrize(
    ("content", "content_type", "taken"),
    [
        (SCRIPT, "image/png", False),
        (b"<svg/>", "image/svg+xml", False),
        (next(each.content for each in corpus() if each.name == "JPEG and HTML"), "text/html", True),
        (huge_metadata(), "image/jpeg", False),
    ],
    ids=["html as png", "svg", "jpeg and html as html", "30 MB of exif"],
)
async def test_a_page_believes_no_type_and_hands_out_nothing_but_pictures(
    visit: Visit, content: bytes, content_type: str, *, taken: bool
) -> None:
    page = await visit.get("/account/picture")
    form = FormData(default_to_multipart=True)
    form.add_field("csrf", page.csrf)
    form.add_field("picture", BytesIO(content), filename="../../evil.html", content_type=content_type)
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in visit.browser.cookies.items())}
    url = f"{visit.browser.url}{visit.site.mount}/account/picture"
    async with visit.browser.session.post(url, data=form, headers=headers, allow_redirects=False) as answer:
        text = await answer.text()
        assert answer.status == 303 if taken else answer.status in {413, 422}, text
    if taken:
        shown = await visit.shown("/account/picture")
        path = "/pictures/" + shown.partition('src="/pictures/')[2].partition('"')[0]
        async with visit.browser.session.get(f"{visit.browser.url}{path}") as kept:
            assert kept.content_type == "image/jpeg"
            assert kept.headers["X-Content-Type-Options"] == "nosniff"
            assert "sandbox" in kept.headers["Content-Security-Policy"]
            assert CANARY not in await kept.read()


async def test_a_dialect_takes_no_more(gallery: GatepostStack, session: ClientSession) -> None:
    """VorgID's upload, which takes a PNG in base64."""
    site = site_maker(gallery, session)(EDIT_PERSONAL, USER)
    vorgid = Vorgid(site, session, gallery.url)
    _, token = await vorgid.signed_in(EDIT_PERSONAL, USER)
    for each in corpus():
        if each.name == LARGEST or len(each.content) > 300_000:
            continue  # looked at above
        body = json.dumps({"file": base64.b64encode(each.content).decode()}).encode()
        headers = {"Content-Type": "application/json"}
        answer = await vorgid.call("POST", "edit-photo", token, data=BytesIO(body), headers=headers)
        assert answer.status in {200, 400}, (each.name, answer)
        if each.taken is not None:
            assert (answer.status == 200) is (each.taken and each.content.startswith(b"\x89PNG")), (each.name, answer)
