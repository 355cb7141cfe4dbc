"""The published samples of VorgID: every sample request is taken, every sample answer's members and types come back."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from conftest import GatepostStack, until_it_shows
from dialects.ihopr_client import new_email
from dialects.redirect_client import Site
from dialects.vorgid_client import SCOPES, Vorgid
from drawn import plain
from google.protobuf.field_mask_pb2 import FieldMask

from gatepost.auth.v1.accounts_pb2 import AccountRef, EmailRef, GetAccountRequest
from gatepost.users.v1.profiles_pb2 import Profile, UpdateProfileRequest
from gateway.clients import Clients

GOLDEN = Path(__file__).parent / "golden" / "vorgid"


@pytest.fixture(scope="module")
def vorgid(make_site: Callable[..., Site], session: ClientSession, stack: GatepostStack) -> Vorgid:
    return Vorgid(make_site(*SCOPES), session, stack.url)


def sample(name: str) -> tuple[dict[str, Any], Any]:
    document = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return document["request"], document["answers"][0]


def shape(value: Any) -> Any:
    return {key: shape(each) for key, each in value.items()} if isinstance(value, dict) else type(value).__name__


async def send(vorgid: Vorgid, name: str, token: str = "", **real: str) -> Any:
    """Send a sample with its placeholders replaced, on a token of exactly the scope it names."""
    request, expected = sample(name)
    token = token or (await vorgid.signed_in(request["scope"]))[1]
    how, published = ("params", request["query"]) if "query" in request else ("json", request["body"])
    assert set(real) <= set(published), "a sample has no such parameter"
    sent = {how: published | real}
    answer = await vorgid.call(request["method"], request["path"].removeprefix("/v1/vorg-id/"), token, **sent)
    assert answer.status == 200, answer
    assert shape(answer.body) == shape(expected)
    return answer.body


async def test_the_user_is_told_as_published(vorgid: Vorgid, core: Clients) -> None:
    person, token = await vorgid.signed_in("VorgID::user", first_name="Peter", last_name="Parker")
    reference = AccountRef(email=EmailRef(project=vorgid.app.project, email=person.email))
    user_id = (await core.accounts.GetAccount(GetAccountRequest(account=reference))).account.user_id
    born = Profile(user_id=user_id, birth_date="2009-10-09")
    await core.profiles.UpdateProfile(UpdateProfileRequest(profile=born, update_mask=FieldMask(paths=["birth_date"])))
    await until_it_shows()
    answer = await send(vorgid, "get-personal", token)
    published = sample("get-personal")[1]["data"]
    assert (answer["data"]["name"], answer["data"]["birthday"]) == (published["name"], published["birthday"])


async def test_the_address_is_edited_as_published(vorgid: Vorgid) -> None:
    email = new_email()
    assert (await send(vorgid, "edit-email", email=email))["data"]["new_email"] == email


async def test_the_name_is_edited_as_published(vorgid: Vorgid) -> None:
    assert await send(vorgid, "edit-name") == sample("edit-name")[1]


async def test_the_photo_is_edited_as_published(vorgid: Vorgid) -> None:
    answer = await send(vorgid, "edit-photo", file=base64.b64encode(plain()).decode())
    assert answer["data"]["link"].startswith(vorgid.url)


def test_every_sample_is_replayed() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [path.stem for path in GOLDEN.glob("*.json") if f'"{path.stem}"' not in text] == []
