"""How a project looks to people: name, logo, colour. The house's own look where it has none."""

import re
from dataclasses import dataclass

from gatepost.auth.v1.projects_pb2 import Project

HOUSE_NAME = "Gatepost"
_COLOR = re.compile(r"#([0-9a-f]{6})", re.IGNORECASE)
_PICTURE = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Look:
    """What the layout shows of a project.

    Args:
        name: For people.
        logo_url: Picture, empty for none.
        accent_url: Stylesheet with its colour, empty for the house's.
        initial: In place of the picture; empty for the house, which has its mark.
    """

    name: str
    logo_url: str
    accent_url: str
    initial: str = ""


def look_of(project: Project | None) -> Look:
    """Return a project's look; the house's for None."""
    if project is None:
        return Look(HOUSE_NAME, "", "")
    name = project.display_name or project.name
    color = _COLOR.fullmatch(project.accent_color)
    return Look(
        name=name,
        logo_url=picture_url(project.logo_picture, "large"),
        accent_url=f"/assets/accent/{color[1].lower()}.css" if color else "",
        initial="" if name == HOUSE_NAME else name[0].upper(),
    )


def picture_url(picture: str, size: str) -> str:
    """Return where a picture of user-service is served, empty for none."""
    return f"/pictures/{picture}/{size}" if _PICTURE.fullmatch(picture) else ""
