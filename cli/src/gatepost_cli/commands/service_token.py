"""`gatepost service-token`: a credential for calling a service by hand, with grpcurl and the like."""

from typing import Annotated

import typer

from gatepost_cli import console
from gatepost_cli.commands.options import DataDirOption, JsonOption, Service
from gatepost_cli.operate import CALLER
from gatepost_cli.services import locate
from runtime.credentials import ServiceKeys


def service_token(
    *,
    service: Annotated[Service, typer.Argument(help="The service that will accept it.", show_default=False)],
    folder: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a service credential, good for ten minutes: the value after `authorization: Bearer`."""
    services = locate(folder)
    token = ServiceKeys(list(services.service_keys)).mint(CALLER, service.value)
    target = {
        Service.AUTH: services.auth_target,
        Service.USERS: services.users_target,
        Service.NOTIFY: services.notify_target,
    }[service]
    if as_json:
        console.document({"service": service.value, "target": target, "token": token})
    else:
        console.output(token)
