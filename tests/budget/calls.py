"""The RPCs that no request of a dialect makes: those of hosted pages and of the command line, each called once."""

from uuid import uuid4

from budget.cases import Place
from conftest import GatepostStack
from dialects.ihopr_client import PASSWORD, new_email

from gatepost.auth.v1 import accounts_pb2, apps_pb2, grants_pb2, links_pb2, operations_pb2, projects_pb2, tokens_pb2
from gatepost.auth.v1.apps_pb2_grpc import OwnAppServiceStub
from gatepost.auth.v1.grants_pb2_grpc import GrantServiceStub
from gatepost.auth.v1.links_pb2_grpc import LinkServiceStub
from gatepost.notify.v1 import devices_pb2, messages_pb2
from gatepost.notify.v1.devices_pb2_grpc import DeviceServiceStub
from gatepost.users.v1 import locations_pb2, pictures_pb2, profiles_pb2
from gatepost_cli import services, stack
from gatepost_cli.operate import Rpc, opened

# Needs Facebook; its statements are those of a sign-in with another kind of identifier.
LEFT_OUT = frozenset({"SignInService/SignInWithIdentity"})
_ICON = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89\x00\x00\x00"
    b"\rIDATx\xdac\xfc\xff\x9f\xa1\x1e\x00\x07\x82\x02\x7f=\xc8H\xef\x00\x00\x00\x00IEND\xaeB`\x82"
)


def methods() -> set[str]:
    """Return every RPC of the contract that is answered once, as `Service/Method`."""
    modules = (
        *(accounts_pb2, apps_pb2, grants_pb2, links_pb2, operations_pb2, projects_pb2, tokens_pb2),
        *(devices_pb2, messages_pb2, locations_pb2, pictures_pb2, profiles_pb2),
    )
    described = [service for module in modules for service in module.DESCRIPTOR.services_by_name.values()]
    return {f"{service.name}/{m.name}" for service in described for m in service.methods if not m.server_streaming}


async def make(running: GatepostStack, place: Place) -> None:
    """Call them."""
    async with opened(services.of(stack.load(running.data_dir))) as rpc:
        await _of_operators(rpc, place)
        await _of_pages(rpc, place)


async def _of_operators(rpc: Rpc, place: Place) -> None:
    project, client_id = place.app.project, place.app.client_id
    person, _ = await place.ihopr.signed_in(place.app)
    who = accounts_pb2.AccountRef(email=accounts_pb2.EmailRef(project=project, email=person.email))
    user_id = (await rpc.accounts.GetAccount(accounts_pb2.GetAccountRequest(account=who))).account.user_id
    first = await rpc.accounts.ListAccounts(accounts_pb2.ListAccountsRequest(project="crowd-1", page_size=50))
    assert len(first.accounts) == 50
    deep = accounts_pb2.ListAccountsRequest(project="crowd-1", page_size=50, page_token=first.next_page_token)
    key = (await rpc.api_keys.CreateApiKey(apps_pb2.CreateApiKeyRequest(id=str(uuid4()), project=project))).key
    made = await rpc.apps.CreateAppSecret(apps_pb2.CreateAppSecretRequest(client_id=client_id))
    mails = messages_pb2.ListMessagesRequest(to="user1@example.com", page_size=5)
    message = (await rpc.messages.ListMessages(mails)).messages[0]
    dead = messages_pb2.ListMessagesRequest(status=messages_pb2.MESSAGE_STATUS_DEAD, page_size=5)
    given_up = (await rpc.messages.ListMessages(dead)).messages[0]
    devices = DeviceServiceStub(rpc.channels["notify-service"])
    picture = pictures_pb2.CreatePictureRequest(kind=pictures_pb2.PICTURE_KIND_ICON, content=_ICON)
    icon = await rpc.pictures.CreatePicture(picture)
    await rpc.accounts.ListAccounts(deep)
    new = accounts_pb2.CreateAccountRequest(user_id=str(uuid4()), project=project, email=new_email(), password=PASSWORD)
    await rpc.accounts.CreateAccount(new)
    await rpc.accounts.SetRole(accounts_pb2.SetRoleRequest(account=who, role="Editor"))
    await rpc.accounts.SetAccountState(
        accounts_pb2.SetAccountStateRequest(account=who, state=accounts_pb2.ACCOUNT_STATE_DISABLED)
    )
    await rpc.tokens.ListSessions(tokens_pb2.ListSessionsRequest(account=who))
    await rpc.tokens.EndAllSessions(tokens_pb2.EndAllSessionsRequest(account=who))
    await GrantServiceStub(rpc.channels["auth-service"]).ListGrants(grants_pb2.ListGrantsRequest(account=who))
    await rpc.accounts.DeleteAccount(accounts_pb2.DeleteAccountRequest(account=who))
    await rpc.profiles.DeleteProfile(profiles_pb2.DeleteProfileRequest(user_id=user_id))
    await rpc.projects.ListProjects(projects_pb2.ListProjectsRequest(page_size=10))
    await rpc.apps.ListApps(apps_pb2.ListAppsRequest(project="crowd-1", page_size=10))
    await rpc.apps.UpdateApp(apps_pb2.UpdateAppRequest(client_id=client_id, name="Another"))
    await rpc.apps.RevokeAppSecret(apps_pb2.RevokeAppSecretRequest(client_id=client_id, secret_id=made.secret.id))
    await rpc.apps.CheckOrigin(apps_pb2.CheckOriginRequest(origin="https://7.example.com"))
    await rpc.api_keys.ListApiKeys(apps_pb2.ListApiKeysRequest(project=project))
    await rpc.api_keys.RevokeApiKey(apps_pb2.RevokeApiKeyRequest(id=key.id))
    await rpc.keys.ListKeys(operations_pb2.ListKeysRequest())
    await rpc.keys.RotateKeys(operations_pb2.RotateKeysRequest())
    await rpc.keys.ResealKeys(operations_pb2.ResealKeysRequest())
    await rpc.key_sets.GetKeySet(operations_pb2.GetKeySetRequest())
    await rpc.audit.ListEvents(operations_pb2.ListEventsRequest(user_id=user_id, page_size=10))
    await rpc.audit.ListEvents(operations_pb2.ListEventsRequest(page_size=10, before_id=10_000))
    await rpc.profiles.BatchGetProfiles(profiles_pb2.BatchGetProfilesRequest(user_ids=[user_id, str(uuid4())]))
    await rpc.messages.ListMessages(messages_pb2.ListMessagesRequest(page_size=5))
    await rpc.messages.GetMessage(messages_pb2.GetMessageRequest(id=message.id))
    await rpc.messages.RetryMessage(messages_pb2.RetryMessageRequest(id=given_up.id))
    await devices.ListDevices(devices_pb2.ListDevicesRequest(user_id=user_id))
    await devices.UnregisterDevice(devices_pb2.UnregisterDeviceRequest(user_id=user_id, id=str(uuid4())))
    await rpc.locations.ImportLocations(
        locations_pb2.ImportLocationsRequest(locations=[locations_pb2.Location(id=1, name="There")])
    )
    await rpc.pictures.DeletePicture(pictures_pb2.DeletePictureRequest(id=icon.id))


async def _of_pages(rpc: Rpc, place: Place) -> None:
    person, answer = await place.ihopr.signed_in(place.app)
    token = answer["access_token"]
    auth = rpc.channels["auth-service"]
    own, grants, links = OwnAppServiceStub(auth), GrantServiceStub(auth), LinkServiceStub(auth)
    app = apps_pb2.CreateAppRequest(id=str(uuid4()), name="Mine")
    mine = (await own.CreateOwnApp(apps_pb2.CreateOwnAppRequest(access_token=token, app=app))).app.client_id
    named = {"access_token": token, "client_id": mine}
    secret = (await own.CreateOwnAppSecret(apps_pb2.CreateOwnAppSecretRequest(**named))).secret
    granted = (await grants.CreateGrant(grants_pb2.CreateGrantRequest(**named))).grant
    await place.ihopr.signed_in_again(place.app, person)
    sessions = await rpc.tokens.ListOwnSessions(tokens_pb2.ListOwnSessionsRequest(access_token=token))
    session_id = max(sessions.sessions, key=lambda each: each.create_time.ToNanoseconds()).id  # not the token's own
    await own.ListOwnApps(apps_pb2.ListOwnAppsRequest(access_token=token))
    await own.GetOwnApp(apps_pb2.GetOwnAppRequest(**named))
    await own.UpdateOwnApp(
        apps_pb2.UpdateOwnAppRequest(
            access_token=token, app=apps_pb2.UpdateAppRequest(client_id=mine, name="Still mine")
        )
    )
    await own.RevokeOwnAppSecret(apps_pb2.RevokeOwnAppSecretRequest(**named, secret_id=secret.id))
    await grants.ListOwnGrants(grants_pb2.ListOwnGrantsRequest(access_token=token))
    await grants.RevokeGrant(grants_pb2.RevokeGrantRequest(access_token=token, id=granted.id))
    await own.DeleteOwnApp(apps_pb2.DeleteOwnAppRequest(**named))
    await rpc.tokens.EndOwnSession(tokens_pb2.EndOwnSessionRequest(access_token=token, session_id=session_id))
    await rpc.accounts.SendEmailProof(accounts_pb2.SendEmailProofRequest(access_token=token))
    link = (await place.ihopr.mailed(person.email, "confirm_email"))["link"].partition("?token=")[2]
    await links.GetLink(links_pb2.GetLinkRequest(token=link))
    await links.UseLink(links_pb2.UseLinkRequest(token=link))
    await rpc.accounts.ExportOwnAccount(accounts_pb2.ExportOwnAccountRequest(access_token=token))
    await rpc.tokens.EndAllOwnSessions(tokens_pb2.EndAllOwnSessionsRequest(access_token=token))
    token = (await place.ihopr.signed_in_again(place.app, person))["access_token"]
    await rpc.accounts.CloseOwnAccount(
        accounts_pb2.CloseOwnAccountRequest(access_token=token, current_password=PASSWORD)
    )
