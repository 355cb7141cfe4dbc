"""The peers there are."""

from collections.abc import Sequence

from bench.peers.better_auth import BetterAuth
from bench.peers.django_oauth_toolkit import DjangoOauthToolkit
from bench.peers.fastapi_users import FastapiUsers
from bench.peers.oidc_provider import OidcProvider
from bench.peers.peer import Peer
from bench.peers.pocketbase import PocketBase

PEERS: Sequence[type[Peer]] = (OidcProvider, BetterAuth, PocketBase, FastapiUsers, DjangoOauthToolkit)
