"""Requests of the OSSN dialect whose cost is budgeted."""

from typing import Any

from budget.cases import Cases, Place, Send
from dialects.ossn_client import PASSWORD, Ossn
from dialects.shoop_client import Shoop

CASES = Cases("ossn")
_PICTURE = "GET HEAD /avatar/{username}/{size}/{file}"


async def _made(place: Place) -> tuple[Ossn, dict[str, Any]]:
    return place.ossn, (await place.ossn.add()).payload


def _calling(site: Ossn, path: str, **parameters: Any) -> Send:
    async def send() -> None:
        assert (await site.call(path, **parameters)).payload

    return send


@CASES.at("GET POST /api/v1.0/user_authenticate", site="ossn")
@CASES.at("GET POST /api/v1.0/user_authenticate", "with session token", site="ossn_with_sessions")
async def authenticate(place: Place, site: str) -> Send:
    there = getattr(place, site)
    # Somebody of the same project who came by another wire: active at once, and the password is the same.
    email, _ = await Shoop(place.stack, place.session, there.project, "strict").registered()
    return _calling(there, "api/v1.0/user_authenticate", username=email, password=PASSWORD)


@CASES.at("GET POST /api/v1.0/user_details", "by guid", by="guid")
@CASES.at("GET POST /api/v1.0/user_details", "by username", by="username")
@CASES.at("GET POST /api/v1.0/user_details", "by email", by="email")
async def details(place: Place, by: str) -> Send:
    there, user = await _made(place)
    return _calling(there, "api/v1.0/user_details", **{by: user[by]})


@CASES.at("GET POST /api/v1.0/user_add")
async def add(place: Place) -> Send:
    there = place.ossn

    async def send() -> None:
        assert (await there.add()).payload

    return send


@CASES.at("GET POST /api/v1.0/user_edit", "names")
@CASES.at("GET POST /api/v1.0/user_edit", "password", new_password="another-lantern-43")
async def edit(place: Place, **more: str) -> Send:
    there, user = await _made(place)
    return _calling(
        there,
        "api/v1.0/user_edit",
        guid=user["guid"],
        new_email=user["email"],
        new_first_name="Bea",
        new_last_name="Ray",
        current_password=PASSWORD,
        **more,
    )


@CASES.at("GET POST /api/v2.0/user/delete")
async def delete(place: Place) -> Send:
    there, user = await _made(place)
    return _calling(there, "api/v2.0/user/delete", guid=user["guid"])


@CASES.at(_PICTURE, "initials")
async def avatar(place: Place) -> Send:
    _, user = await _made(place)

    async def send() -> None:
        await place.fetch(user["icon"]["small"])

    return send
