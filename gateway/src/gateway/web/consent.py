"""The page that asks a person whether an app may know him. What happens then is `authorization`'s."""

import re
from collections.abc import Sequence
from math import ceil
from urllib.parse import urlsplit

from gatepost.auth.v1.accounts_pb2 import Account
from gatepost.auth.v1.apps_pb2 import App
from gateway.call import Call
from gateway.reply import Reply
from gateway.web import paths
from gateway.web.look import picture_url
from gateway.web.templates import show

_DAY_SECONDS = 86_400
# Parameters that no app sends.
_OURS = frozenset({"lang", "csrf", "decision", "shown"})
# What can stand in a source list (CSP 3, section 2.3.1); others cannot be named there.
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(?::\d{1,5})?")


async def show_consent(
    call: Call,
    *,
    app: App,
    account: Account,
    shares: Sequence[str],
    shown: str,
    redirect_url: str,
    lasting_seconds: int,
) -> Reply:
    """Answer with the page; its form goes to the address it was shown at, with `csrf`, `decision`, `shown`, the query.

    Args:
        call: The request.
        app: Which app asks.
        account: Who is signed in.
        shares: What the app would get to know, line by line: messages of the catalogues.
        shown: The same as scopes; comes back with the form.
        redirect_url: Where either answer leads in the end.
        lasting_seconds: How long nobody asks again; 0 for an app that is asked about every time.
    """
    profile = await call.clients.profile(account.user_id)
    return await show(
        call,
        "consent.html",
        project=await call.clients.project(app.project),
        form_origins=origins([redirect_url]),
        app=app,
        icon_url=picture_url(app.icon_picture, "large"),
        site=site(app),
        shares=shares,
        email=account.email or account.username,
        first_name=profile.first_name or account.username or account.email,
        action=call.target,
        hidden={name: value for name, value in call.query.items() if name not in _OURS} | {"shown": shown},
        days=ceil(lasting_seconds / _DAY_SECONDS),
        switch=paths.url(call, "/sign-in", next=call.target, prompt="login"),
    )


def origins(urls: Sequence[str]) -> tuple[str, ...]:
    """Return the origins of an app's redirect URLs as a content security policy names them, each once."""
    split = (urlsplit(each) for each in urls)
    found = (f"{each.scheme}://{each.netloc}" for each in split)
    return tuple(dict.fromkeys(each for each in found if _ORIGIN.fullmatch(each)))


def site(app: App) -> str:
    """Return the host that people know an app by; empty if it names none."""
    return urlsplit(app.website).netloc.removeprefix("www.")
