"""The app behind a `next`: who is sent to sign in by an app sees which, and goes back to it in the end."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from gatepost.auth.v1.apps_pb2 import App
from gateway.call import Call
from gateway.web.consent import origins, site
from gateway.web.look import picture_url

_NAMES = ("app_id", "client_id")
_MAX_DIGITS = 20
_MOST_PARAMETERS = 100


@dataclass(frozen=True, slots=True)
class Asking:
    """What a page shows of an app.

    Args:
        name: Empty when there is none.
        site: Its host, for people.
        icon_url: Picture, empty for none.
        origins: Where a form of the page may lead in the end.
    """

    name: str = ""
    site: str = ""
    icon_url: str = ""
    origins: tuple[str, ...] = ()


NOBODY: Final = Asking()


async def app_behind(call: Call, target: str, project: str) -> Asking:
    """Return the app that an address of this origin is about, if it is one of the project.

    Args:
        call: The request.
        target: A checked `next`.
        project: Name.
    """
    try:
        query = parse_qs(target.partition("?")[2], max_num_fields=_MOST_PARAMETERS)
    except ValueError:  # no app sends so many
        return NOBODY
    wanted = next((query[name][0] for name in _NAMES if name in query), "")
    if not (wanted.isascii() and wanted.isdigit() and len(wanted) <= _MAX_DIGITS):
        return NOBODY
    app = await call.clients.app(wanted)
    return NOBODY if app is None or app.disabled or app.project != project else _describe(app)


def _describe(app: App) -> Asking:
    icon_url = picture_url(app.icon_picture, "large")
    return Asking(name=app.name, site=site(app), icon_url=icon_url, origins=origins(app.redirect_urls))
