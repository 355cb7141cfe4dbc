"""What a developer fills in about his app, when he makes it and later: from the form to the core's words and back.

Used by `apps_new` and `apps_settings`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from gatepost.auth.v1.apps_pb2 import App
from gateway.fields import text, upload
from gateway.multipart import Upload
from gateway.web.forms import PageForm

# Each has a box of its own in the form, since no name may be there twice. `basic` is every app's.
SCOPES: Final[Mapping[str, str]] = {
    "scope_birthdate": "birthdate",
    "scope_gender": "gender",
    "scope_relationship": "relationship",
    "scope_biography": "biography",
    "scope_website": "website",
    "scope_cover": "cover",
    "scope_user": "VorgID::user",
    "scope_user_email": "VorgID::user::email",
    "scope_user_phone": "VorgID::user::phone",
    "scope_edit_personal": "VorgID::edit::personal",
    "scope_edit_email": "VorgID::edit::email",
    "scope_edit_phone": "VorgID::edit::phone",
}
_BOXES: Final[Mapping[str, str]] = {scope: box for box, scope in SCOPES.items()}
Form = TypeVar("Form", bound="AppForm")


@dataclass(frozen=True, slots=True)
class AppForm(PageForm):
    """What can be said of an app at any time. Lists have one entry a line; a box is empty when it is not ticked."""

    name: str = text(default="")
    website: str = text(default="")
    description: str = text(default="")
    redirect_urls: str = text(default="")
    origins: str = text(default="")
    icon: Upload | None = upload(default=None)
    scope_birthdate: str = text(default="")
    scope_gender: str = text(default="")
    scope_relationship: str = text(default="")
    scope_biography: str = text(default="")
    scope_website: str = text(default="")
    scope_cover: str = text(default="")
    scope_user: str = text(default="")
    scope_user_email: str = text(default="")
    scope_user_phone: str = text(default="")
    scope_edit_personal: str = text(default="")
    scope_edit_email: str = text(default="")
    scope_edit_phone: str = text(default="")


def scopes(form: AppForm, kept: tuple[str, ...] = ()) -> list[str]:
    """Return the scopes that are ticked, after those the app has already that the form knows nothing of."""
    others = [scope for scope in kept if scope not in _BOXES]
    return others + [scope for box, scope in SCOPES.items() if getattr(form, box)]


def lines(value: str) -> list[str]:
    """Return the entries of a text with one a line; blank ones are left out, and those that are there before."""
    return list(dict.fromkeys(line.strip() for line in value.splitlines() if line.strip()))


def description(form: AppForm) -> str:
    """Return the description with the line ends of forms made plain."""
    return form.description.replace("\r\n", "\n").strip()


def filled(kind: type[Form], app: App, **more: Any) -> Form:
    """Return a form as it looks for an app that is there."""
    boxes: dict[str, Any] = {_BOXES[scope]: "yes" for scope in app.scopes if scope in _BOXES}
    return kind(
        name=app.name,
        website=app.website,
        description=app.description,
        redirect_urls="\n".join(app.redirect_urls),
        origins="\n".join(app.origins),
        **boxes,
        **more,
    )
