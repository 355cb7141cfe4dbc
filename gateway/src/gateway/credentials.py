"""Where apps put their id and secret: among the parameters, or in a Basic header (RFC 6749 section 2.3.1).

Dialects call it; auth-service checks what is found.
"""

import base64
import binascii
from urllib.parse import unquote_plus

from gatepost.auth.v1.sign_in_pb2 import ClientCredentials
from gateway.call import Call
from runtime.errors import GatepostError, Reason


def basic(call: Call) -> tuple[str, str] | None:
    """Return id and secret of `Authorization: Basic …`, or of a header called `Basic`; None without one.

    Raises:
        GatepostError: CLIENT_UNKNOWN if it cannot be read, MALFORMED_REQUEST if there are two.
    """
    scheme, _, encoded = call.header("Authorization").partition(" ")
    if scheme.lower() != "basic":
        encoded = call.header("Basic")
    elif call.header("Basic"):
        raise GatepostError(Reason.MALFORMED_REQUEST, "two headers name the app")
    if not encoded:
        return None
    try:
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        client_id, colon, secret = "", "", ""
    if not colon:
        raise GatepostError(Reason.CLIENT_UNKNOWN, "the Basic header cannot be read")
    return unquote_plus(client_id), unquote_plus(secret)


def credentials(call: Call, client_id: str, client_secret: str, *, secret_name: str) -> ClientCredentials:
    """Put together what the parameters and the header say.

    Args:
        call: The request.
        client_id: As among the parameters; empty if not.
        client_secret: Likewise.
        secret_name: What the parameter is called, to see whether it stands in the query.

    Raises:
        GatepostError: As `basic`; MALFORMED_REQUEST if header and parameters disagree.
    """
    header = basic(call)
    if header is None:
        in_query = secret_name in call.query
        return ClientCredentials(client_id=client_id, client_secret=client_secret, secret_in_query=in_query)
    if client_id not in {"", header[0]} or client_secret not in {"", header[1]}:
        raise GatepostError(Reason.MALFORMED_REQUEST, "header and parameters name different apps")
    return ClientCredentials(client_id=header[0], client_secret=header[1], secret_in_query=secret_name in call.query)
