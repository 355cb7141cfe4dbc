"""What a project says of itself: its looks, the dialects it serves and how they mark errors, and their switches."""

from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio
from rpc.auth.deployment import Deployment
from rpc.auth.visitor import door

from gatepost.auth.v1 import projects_pb2
from runtime.context import CallContext, bound
from runtime.errors import Reason

Refused = Callable[..., Any]
Change = Callable[..., Any]


def words(*values: str) -> projects_pb2.StringList:
    return projects_pb2.StringList(values=values)


@pytest_asyncio.fixture(loop_scope="session")
async def change(deployment: Deployment) -> Change:
    """Return a function that changes a new project, and returns it as stored."""
    name = (await door(deployment, hosts=[])).project

    async def update(**said: Any) -> projects_pb2.Project:
        await deployment.projects.UpdateProject(projects_pb2.UpdateProjectRequest(name=name, **said))
        answer = await deployment.projects.GetProject(projects_pb2.GetProjectRequest(name=name))
        project: projects_pb2.Project = answer.project
        return project

    return update


async def test_a_new_project_has_the_looks_of_the_house(change: Change) -> None:
    project = await change()
    assert (project.display_name, project.accent_color, project.logo_picture) == ("", "", "")
    assert (dict(project.status_modes), list(project.switches), project.user_apps) == ({}, [], True)


async def test_looks_are_set_and_taken_back(change: Change) -> None:
    picture = "0123456789abcdef" * 2
    project = await change(display_name=" The House ", accent_color="#00Aaff", logo_picture=picture)
    assert (project.display_name, project.accent_color, project.logo_picture) == ("The House", "#00aaff", picture)
    project = await change(user_apps=False)
    assert (project.display_name, project.user_apps) == ("The House", False)
    project = await change(display_name="", accent_color="", logo_picture="")
    assert (project.display_name, project.accent_color, project.logo_picture) == ("", "", "")


async def test_status_modes_are_set_dialect_by_dialect(change: Change) -> None:
    assert dict((await change(status_modes={"ossn": "strict"})).status_modes) == {"ossn": "strict"}
    project = await change(status_modes={"sngine": "legacy"})
    assert dict(project.status_modes) == {"ossn": "strict", "sngine": "legacy"}
    assert dict((await change(status_modes={"ossn": ""})).status_modes) == {"sngine": "legacy"}


async def test_dialects_and_switches_are_replaced(change: Change) -> None:
    project = await change(dialects=words("shoop", "ihopr", "shoop"), switches=words("ossn.legacy_103"))
    assert (list(project.dialects), list(project.switches)) == (["shoop", "ihopr"], ["ossn.legacy_103"])
    project = await change(dialects=words(), switches=words())
    assert (list(project.dialects), list(project.switches)) == ([], [])


WRONG: dict[str, tuple[str, Any]] = {
    "long name": ("display_name", "x" * 101),
    "name with a line break": ("display_name", "two\nlines"),
    "colour by name": ("accent_color", "red"),
    "short colour": ("accent_color", "#fff"),
    "colour and more": ("accent_color", "#ffffff;color:red"),
    "picture by address": ("logo_picture", "https://example.org/logo.png"),
    "unknown mode": ("status_modes", {"ossn": "loose"}),
    "mode of no dialect": ("status_modes", {"Not A Word": "strict"}),
    "dialect of two words": ("dialects", words("two words")),
    "switch without dialect": ("switches", words("legacy_103")),
}


@pytest.mark.parametrize(("field", "value"), WRONG.values(), ids=WRONG.keys())
async def test_what_a_project_cannot_say_is_refused(change: Change, refused: Refused, field: str, value: Any) -> None:
    error = await refused(change(**{field: value}), Reason.INVALID_PARAMETER)
    assert [violation.field for violation in error.violations] == [field]


async def test_no_project_answers_a_dialect_for_a_host_that_serves_others(
    deployment: Deployment, change: Change, refused: Refused
) -> None:
    project = await change(dialects=words("shoop"))
    host = f"{project.name}.example"
    await change(hosts=words(host))
    resolve = projects_pb2.ResolveProjectRequest(host=host)
    with bound(CallContext(dialect="ossn")):
        await refused(deployment.projects.ResolveProject(resolve), Reason.DIALECT_DISABLED)
    with bound(CallContext(dialect="shoop")):
        assert (await deployment.projects.ResolveProject(resolve)).project.name == project.name
