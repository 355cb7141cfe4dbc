"""Places and branding by the command line, on a running stack."""

from pathlib import Path
from uuid import uuid4

import pytest
from conftest import GatepostStack
from drawn import encoded, halves

FIRST = 900_000


def test_places_that_ship_are_listed(stack: GatepostStack) -> None:
    places = {place["id"]: place for place in stack.cli("location", "list")["locations"]}
    assert places[1] == {"id": 1, "name": "Jawa Timur", "parent_id": None, "parent_name": None}
    cities = stack.cli("location", "list", "--parent", "1")["locations"]
    assert {city["parent_name"] for city in cities} == {"Jawa Timur"}


def test_a_file_of_places_is_imported_and_imported_again(stack: GatepostStack, tmp_path: Path) -> None:
    file = tmp_path / "places.csv"
    file.write_text(f"id,name,parent_id\n{FIRST + 1},Graz,{FIRST}\n{FIRST},Steiermark,\n", encoding="utf-8")
    assert stack.cli("location", "import", str(file)) == {"added": 2, "changed": 0, "unchanged": 0}
    assert stack.cli("location", "import", str(file)) == {"added": 0, "changed": 0, "unchanged": 2}
    (city,) = stack.cli("location", "list", "--parent", str(FIRST))["locations"]
    assert (city["name"], city["parent_name"]) == ("Graz", "Steiermark")


def test_a_file_with_one_bad_line_imports_nothing(stack: GatepostStack, tmp_path: Path) -> None:
    file = tmp_path / "places.csv"
    file.write_text(f"id,name,parent_id\n{FIRST + 10},Linz,\n{FIRST + 11},Wels,{FIRST + 12}\n", encoding="utf-8")
    done = stack.run("location", "import", str(file))
    assert done.returncode == 1
    assert f"{file}, line 3: The parent_id names no location" in done.stderr
    assert FIRST + 10 not in [place["id"] for place in stack.cli("location", "list")["locations"]]


@pytest.fixture
def project(stack: GatepostStack) -> str:
    name = f"p{uuid4().hex[:12]}"
    stack.cli("project", "create", name)
    return name


def test_a_project_gets_its_looks_and_can_lose_them(stack: GatepostStack, project: str, tmp_path: Path) -> None:
    logo = tmp_path / "logo.png"
    logo.write_bytes(encoded(halves()))
    looks = ("--display-name", "The Shop", "--accent-color", "#0b6a94", "--logo", str(logo), "--no-user-apps")
    switches = ("--status-mode", "sngine=strict", "--dialect", "sngine", "--dialect", "ihopr")
    more = ("--switch", "vorgid.id_as_string")
    changed = stack.cli("project", "update", project, *looks, *switches, *more)
    assert (changed["display_name"], changed["accent_color"], changed["user_apps"]) == ("The Shop", "#0b6a94", False)
    assert (changed["status_modes"], changed["switches"]) == ({"sngine": "strict"}, ["vorgid.id_as_string"])
    assert sorted(changed["dialects"]) == ["ihopr", "sngine"]
    assert len(changed["logo_picture"]) == 32
    assert stack.cli("project", "show", project) == changed
    media = stack.data_dir
    assert media is not None
    assert len([*(media / "media").rglob(f"{changed['logo_picture']}-*")]) == 6
    back = ("--no-logo", "--status-mode", "sngine=", "--all-dialects", "--no-switches", "--display-name", "")
    cleared = stack.cli("project", "update", project, *back, "--user-apps")
    assert (cleared["logo_picture"], cleared["status_modes"], cleared["dialects"]) == (None, {}, [])
    assert (cleared["switches"], cleared["display_name"], cleared["user_apps"]) == ([], "", True)


def test_a_logo_that_is_no_picture_changes_nothing(stack: GatepostStack, project: str, tmp_path: Path) -> None:
    logo = tmp_path / "logo.png"
    logo.write_text("<svg/>", encoding="utf-8")
    done = stack.run("project", "update", project, "--logo", str(logo), "--display-name", "New")
    assert done.returncode == 1
    assert "must be a whole PNG, JPEG, WebP or GIF picture" in done.stderr
    assert stack.cli("project", "show", project)["display_name"] != "New"
