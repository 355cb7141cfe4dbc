"""The published sample of OSSN: the answer has every member and type of it, however the request is sent."""

import json
from pathlib import Path
from typing import Any

import pytest
from dialects.ossn_client import How, Ossn

SAMPLE = json.loads((Path(__file__).parent / "golden" / "ossn" / "user_authenticate.json").read_text(encoding="utf-8"))
ADDITIVE = {"is_verified_user"}  # newer than the sample


def shape(value: Any, name: str = "") -> Any:
    if name == "language":
        assert value is None or isinstance(value, str)
        return "text or null"
    if isinstance(value, dict):
        return {key: shape(each, key) for key, each in value.items() if key not in ADDITIVE}
    return type(value).__name__


@pytest.mark.parametrize("how", ["form", "json", "query", "form in GET"])
async def test_a_user_is_authenticated_as_published(ossn: Ossn, how: How) -> None:
    user = ossn.user("--first-name", "System", "--last-name", "Administrator")
    assert set(SAMPLE["request"]["parameters"]) == {"api_key_token", "username", "password"}
    answer = await ossn.call("api/v1.0/user_authenticate", how, username=user.username, password=user.password)
    published = SAMPLE["answers"][0]
    assert shape(answer.body) == shape(published)
    assert (answer.body["code"], answer.body["message"]) == (published["code"], published["message"])
    assert answer.payload["fullname"] == published["payload"]["fullname"]


def test_every_way_of_sending_is_a_published_one() -> None:
    assert SAMPLE["request"]["methods"] == ["POST", "GET"]
