"""/apps/{client_id}/secrets: a new secret beside the old one, shown once; and the end of one that is no longer used."""

from gatepost.auth.v1.apps_pb2 import CreateOwnAppSecretRequest, RevokeOwnAppSecretRequest
from gateway.call import Call
from gateway.dialect import Route
from gateway.limits import Limit
from gateway.pages.apps import HERE, get
from gateway.pages.own import WEB, show_own, signed_in, uuid_of
from gateway.reply import Reply, redirect
from gateway.web import url
from gateway.web.forms import PageForm
from gateway.web.session import SESSION

# As auth-service has it; said on the page of the app.
_MOST = 2


async def _create(call: Call, _form: PageForm) -> Reply:
    """Add a secret and show it."""
    client_id = call.segments["client_id"]
    who = await signed_in(call)
    app = (await get(call, client_id)).app
    if len(app.secrets) >= _MOST:
        return redirect(url(call, f"{HERE}/{client_id}", done="secrets-full"))
    request = CreateOwnAppSecretRequest(access_token=call.token, form=WEB, client_id=client_id)
    answer = await call.clients.own_apps.CreateOwnAppSecret(request)
    return await show_own(
        call,
        "apps_secret.html",
        who,
        here=url(call, f"{HERE}/{client_id}"),
        app=app,
        secret=answer.client_secret,
    )


async def _revoke(call: Call, _form: PageForm) -> Reply:
    """End a secret."""
    client_id = call.segments["client_id"]
    await signed_in(call)
    request = RevokeOwnAppSecretRequest(
        access_token=call.token, form=WEB, client_id=client_id, secret_id=uuid_of(call.segments["secret_id"])
    )
    await call.clients.own_apps.RevokeOwnAppSecret(request)
    return redirect(url(call, f"{HERE}/{client_id}", done="secret-revoked"))


ROUTES = (
    Route("POST", "/apps/{client_id}/secrets", _create, SESSION, Limit.ORDINARY),
    Route("POST", "/apps/{client_id}/secrets/{secret_id}/revoke", _revoke, SESSION, Limit.ORDINARY),
)
