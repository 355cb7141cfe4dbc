"""Asks the metrics listener of this container whether the service is ready; exit status 0 or 1.

The health check of every image and of compose runs it as `python -IS ready.py VARIABLE`, VARIABLE being the environment
variable that holds the listener's address. It imports next to nothing, because it runs every few seconds.
"""

# ruff: noqa: INP001  a script of the image, not a package
import os
import socket
import sys

TIMEOUT_SECONDS = 4.0
EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "": "127.0.0.1"}  # noqa: S104  compared with, not bound


def ready(address: str) -> bool:
    """Tell whether `GET /readyz` at `host:port` answers 200."""
    host, _, port = address.rpartition(":")
    host = EVERY_ADDRESS.get(host, host).strip("[]")
    try:
        with socket.create_connection((host, int(port)), timeout=TIMEOUT_SECONDS) as connection:
            connection.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
            return connection.makefile("rb").readline(64).split()[1:2] == [b"200"]
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(not ready(os.environ[sys.argv[1]]))
