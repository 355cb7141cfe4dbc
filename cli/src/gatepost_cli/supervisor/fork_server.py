"""Starts services as forks of one process that has imported them: `python -m gatepost_cli.supervisor.fork_server`.

`supervisor.forks` runs this program on Linux and asks it over a socket of whole messages. A fork becomes the service
as `python -m` would make it; what it imported is in memory once for all of them. This process makes no threads and
calls nothing of what it imports. It never reads the environment of a service, which holds secrets: the fork does, so
that no service finds another's in its memory.
"""

import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
from collections.abc import Sequence

from gatepost_cli.process import UMASK, signalled_when_we_die

OUTPUT, ERRORS = 1, 2
Asked = tuple[int, int]  # descriptors: the document that says what to become, and where output goes


def main() -> None:
    """Serve until the other end of the socket is closed; in a fork, become the service."""
    ours = socket.socket(fileno=int(sys.argv[1]))
    _load(sys.argv[2:])
    asked = _until_forked(ours)
    if asked is not None:
        _become(*asked)


def _load(modules: Sequence[str]) -> None:
    """Import what the services import, and keep the garbage collector's marks off the pages that are to be shared."""
    gc.disable()
    sys.modules["rich"] = None  # type: ignore[assignment]  # not there for structlog, which would load it: 4 MB
    for module in modules:
        try:
            importlib.import_module(f"{module}.main")
        except Exception as error:  # noqa: BLE001  the service itself says what is wrong with it, when it starts
            print(f"{module}.main cannot be imported beforehand: {error}", flush=True)  # noqa: T201
    gc.collect()
    gc.freeze()


def _until_forked(ours: socket.socket) -> Asked | None:
    """Fork for each message and tell of each fork's end; return what was asked in a fork, None when all is over."""
    tie = signalled_when_we_die(signal.SIGTERM)
    with selectors.DefaultSelector() as watched:
        watched.register(ours, selectors.EVENT_READ)
        while True:
            for key, _ in watched.select():
                if key.fileobj is not ours:
                    watched.unregister(key.fileobj)
                    os.close(key.fd)
                    pid, status = os.waitpid(key.data, 0)
                    ours.send(json.dumps([pid, os.waitstatus_to_exitcode(status)]).encode())
                    continue
                message, descriptors, _, _ = socket.recv_fds(ours, 1, 2)
                if not message:
                    return None
                document, output = descriptors
                pid = os.fork()
                if pid == 0:
                    for each in watched.get_map().values():
                        os.close(each.fd)
                    if tie is not None:
                        tie()
                    return document, output
                os.close(document)
                os.close(output)
                watched.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)
                ours.send(json.dumps([pid, None]).encode())


def _become(document: int, output: int) -> None:
    """Run a module as `python -m` does, in a process group of its own, with the document's environment and no other."""
    os.setpgid(0, 0)
    os.umask(UMASK)
    for standard in (OUTPUT, ERRORS):
        os.dup2(output, standard)
    os.close(output)
    with open(document, encoding="utf-8") as file:
        wanted = json.load(file)
    os.environ.clear()
    os.environ.update(wanted["environment"])
    gc.enable()
    sys.argv = [wanted["module"]]
    runpy.run_module(wanted["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
