"""Lets services crash at a chosen point: put this folder on PYTHONPATH, and FAULTS_CRASH_FOLDER in the environment.

Python imports this before anything else of the fork server, whose forks become the services; nothing of it is in what
is shipped. A point is the moment before or after every commit, Valkey command, call of another service, hand-over of a
message, write of a picture's file and request to whatever is outside, named after it and the work it is for. While
`trace` exists in the folder, every point that is passed is appended to it; a file named after a service says at which
point, passed how often, that one is to die as by `kill -9`. See `crash_points` for the other side.
"""

import os
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

_SUPERVISOR, _FORK_SERVER = "gatepost_cli.supervisor", "gatepost_cli.supervisor.fork_server"
_SERVICES = {"AUTH": "auth-service", "USERS": "user-service", "NOTIFY": "notify-service", "GATEWAY": "gateway"}
# What is outside, if it is configured: setting, module, class, method, and what its points are called.
_OUTSIDE = (
    ("SMTP_HOST", "notify_service.transports.smtp", "SmtpTransport", "deliver", "mail"),
    ("SMS_BASE_URL", "notify_service.transports.sms", "SmsTransport", "deliver", "text"),
    ("FCM_BASE_URL", "notify_service.transports.fcm", "FcmService", "push", "push"),
    ("USERS_MEDIA_S3_BUCKET", "user_service.media.s3", "S3Media", "put", "object"),
    ("USERS_MEDIA_S3_BUCKET", "user_service.media.s3", "S3Media", "delete", "no-object"),
    ("FACEBOOK_APP_ID", "auth_service.facebook", "Facebook", "inspect", "facebook"),
)


class _Points:
    """The points of this process.

    Args:
        folder: Shared with the test.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._passed: Counter[str] = Counter()
        self._asked = ""

    def reach(self, what: str, when: str) -> None:
        """Pass a point, or die there."""
        from runtime.context import current  # noqa: PLC0415  not before it is clear that this is a service

        service = next(
            (name for word, name in _SERVICES.items() if f"GATEPOST_{word}_METRICS_LISTEN" in os.environ), ""
        )
        point = f"{what} {when} {current().work.rpartition('/')[2] or '-'}"
        trace, order = self._folder / "trace", self._folder / service
        if trace.exists():
            with trace.open("a", encoding="utf-8") as file:
                file.write(f"{service}\t{point}\n")
        if not service or not order.exists():
            return
        asked = order.read_text(encoding="utf-8")
        if asked != self._asked:  # a new order counts from here
            self._asked, self._passed = asked, Counter()
        self._passed[point] += 1
        _, wanted, times = asked.split("\t")
        if point == wanted and self._passed[point] == int(times):
            order.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, holder: type[Any], method: str, name: Callable[..., str]) -> None:
        """Make points before and after a method; `name` says which, of its arguments, empty for none."""
        original: Callable[..., Awaitable[Any]] = getattr(holder, method)

        @wraps(original)
        async def pointed(*args: Any, **options: Any) -> Any:
            what = name(*args)
            if what:
                self.reach(what, "before")
            answer = await original(*args, **options)
            if what:
                self.reach(what, "after")
            return answer

        setattr(holder, method, pointed)


def _install(folder: Path) -> None:
    from notify_service import delivery  # noqa: PLC0415  likewise
    from notify_service.transports.outbox import OutboxTransport  # noqa: PLC0415
    from runtime import grpc_client, postgres, valkey  # noqa: PLC0415
    from runtime.calls_channel import CallChannel  # noqa: PLC0415
    from user_service.media.folder import FolderMedia  # noqa: PLC0415

    points = _Points(folder)
    vars(delivery)["LONGEST_WAIT"] = timedelta(seconds=1)  # a letter whose deliverer dies is taken up soon

    def commit(connection: Any, query: str, *_: Any) -> str:
        if query == postgres._COMMIT:
            return "commit" if connection.wrote else ""
        return "commit" if postgres._may_write(query) and not connection.is_in_transaction() else ""

    for method in ("execute", "executemany", "fetch", "fetchrow", "fetchval"):
        points.around(postgres._Lent, method, commit)
    points.around(valkey.Valkey, "_execute", lambda *_: "valkey")
    points.around(CallChannel, "_ask", lambda _self, name, *_: f"call-{name.rpartition('/')[2]}")
    points.around(grpc_client._Caller, "intercept_unary_unary", _called)
    points.around(OutboxTransport, "deliver", lambda *_: "hand-over")
    points.around(FolderMedia, "put", lambda *_: "file")
    points.around(FolderMedia, "delete", lambda *_: "no-file")
    for setting, module, holder, method, what in _OUTSIDE:
        if os.environ.get(f"GATEPOST_{setting}"):
            points.around(getattr(import_module(module), holder), method, _always(f"outside-{what}"))


def _always(what: str) -> Callable[..., str]:
    return lambda *_: what


def _called(_self: Any, _continuation: Any, details: Any, *_: Any) -> str:
    method = details.method.decode() if isinstance(details.method, bytes) else details.method
    return "" if method.startswith("/grpc.") else f"call-{method.rpartition('/')[2]}"


if os.environ.get("FAULTS_CRASH_FOLDER"):
    if _FORK_SERVER in sys.orig_argv:
        _install(Path(os.environ["FAULTS_CRASH_FOLDER"]))
    elif _SUPERVISOR in sys.orig_argv:
        from gatepost_cli.supervisor import child

        child.HEALTHY_SECONDS = 0  # every restart as quick as the first
