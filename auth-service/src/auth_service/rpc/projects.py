"""ProjectService."""

from typing import Any

from grpc.aio import ServicerContext

from auth_service.projects import ProjectChanges, Projects
from auth_service.rpc import convert
from gatepost.auth.v1 import projects_pb2 as pb
from gatepost.auth.v1.projects_pb2_grpc import ProjectServiceServicer

Context = ServicerContext[Any, Any]


class ProjectRpc(ProjectServiceServicer):
    """See proto/gatepost/auth/v1/projects.proto.

    Args:
        projects: The use cases.
    """

    def __init__(self, projects: Projects) -> None:
        self._projects = projects

    async def CreateProject(self, request: pb.CreateProjectRequest, _context: Context) -> pb.CreateProjectResponse:
        """Make a project."""
        project = await self._projects.create(
            project_id=convert.uuid(request.id, "id"),
            name=request.name,
            policy=convert.policy(request.sign_in_policy),
            roles=request.roles,
            self_assignable_roles=request.self_assignable_roles,
            hosts=request.hosts,
            password_min_length=request.password_min_length,
            allow_plain_pkce=request.allow_plain_pkce,
        )
        return pb.CreateProjectResponse(project=convert.project_message(project))

    async def GetProject(self, request: pb.GetProjectRequest, _context: Context) -> pb.GetProjectResponse:
        """Return a project."""
        return pb.GetProjectResponse(project=convert.project_message(await self._projects.get(request.name)))

    async def ListProjects(self, request: pb.ListProjectsRequest, _context: Context) -> pb.ListProjectsResponse:
        """List projects by name; the page token is the last name."""
        size = convert.page_size(request.page_size)
        found = await self._projects.list(size, request.page_token)
        return pb.ListProjectsResponse(
            projects=[convert.project_message(project) for project in found],
            next_page_token=found[-1].name if len(found) == size else "",
        )

    async def UpdateProject(self, request: pb.UpdateProjectRequest, _context: Context) -> pb.UpdateProjectResponse:
        """Change a project."""
        project = await self._projects.update(request.name, _changes(request))
        return pb.UpdateProjectResponse(project=convert.project_message(project))

    async def ResolveProject(self, request: pb.ResolveProjectRequest, _context: Context) -> pb.ResolveProjectResponse:
        """Find the project of a host name."""
        return pb.ResolveProjectResponse(project=convert.project_message(await self._projects.resolve(request.host)))


def _changes(request: pb.UpdateProjectRequest) -> ProjectChanges:
    return ProjectChanges(
        policy=convert.policy(request.sign_in_policy) if request.HasField("sign_in_policy") else None,
        roles=request.roles,
        self_assignable_roles=request.self_assignable_roles.values
        if request.HasField("self_assignable_roles")
        else None,
        hosts=request.hosts.values if request.HasField("hosts") else None,
        disabled=request.disabled if request.HasField("disabled") else None,
        dialects=request.dialects.values if request.HasField("dialects") else None,
        display_name=request.display_name if request.HasField("display_name") else None,
        accent_color=request.accent_color if request.HasField("accent_color") else None,
        logo_picture=request.logo_picture if request.HasField("logo_picture") else None,
        status_modes=request.status_modes,
        user_apps=request.user_apps if request.HasField("user_apps") else None,
        switches=request.switches.values if request.HasField("switches") else None,
    )
