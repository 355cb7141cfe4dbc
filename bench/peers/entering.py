"""Starts all peers for a run, each in a folder of its own, and describes them. One that cannot be is told."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from bench.peers.known import PEERS
from bench.peers.peer import NotInstalledError, Peer, Room
from bench.results import Entrants, Extent
from bench.rounds import Subject
from bench.servers import Servers

Tell = Callable[[str], None]


async def start(
    stack: AsyncExitStack,
    servers: Servers,
    folder: Path,
    extent: Extent,
    *,
    callers: int,
    hash_callers: int,
    defaults: bool,
    tell: Tell,
) -> Entrants:
    """Start them; they are stopped when the stack is left.

    Args:
        stack: Of the run.
        servers: For them.
        folder: Each gets one below it.
        extent: How many users.
        callers: Connections of cheap workloads.
        hash_callers: Connections of those that hash.
        defaults: They hash as they do by themselves, and only that is of interest.
        tell: Shows progress.
    """
    entrants = Entrants()
    for kind in PEERS:
        own = folder / f"{kind.__name__}-{'defaults' if defaults else 'same'}"
        own.mkdir()
        peer = kind(Room(servers, own, extent.peer_users, callers, hash_callers, defaults))
        tell(f"starting {peer.name}")
        try:
            versions = peer.versions()
            stack.push_async_callback(peer.stop)
            await peer.start()
        except (NotInstalledError, RuntimeError, TimeoutError, OSError) as error:
            entrants.missing[peer.name] = str(error).strip()[-400:] or type(error).__name__
            tell(f"MISSING: {peer.name}: {entrants.missing[peer.name]}")
            continue
        _enter(entrants, peer, versions)
    return entrants


def _enter(entrants: Entrants, peer: Peer, versions: Mapping[str, str]) -> None:
    alike = peer.alike()
    makers = {name: maker for name, maker in peer.workloads().items() if name not in alike}
    entrants.subjects[peer.name] = Subject(peer.name, peer.group, makers)
    entrants.alike[peer.name] = dict(alike)
    entrants.unequal[peer.name] = dict(peer.unequal)
    entrants.described[peer.name] = {
        "versions": dict(versions),
        "settings": peer.settings,
        "start_seconds": round(peer.running.start_seconds, 2),
        "memory_mb": round(peer.group.memory_mb()[peer.name], 1),
    }
