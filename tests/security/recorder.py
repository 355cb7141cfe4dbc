"""Watches a client's requests and answers, and keeps what in them is secret. Nothing is changed on the way."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiohttp import (
    ClientSession,
    DummyCookieJar,
    TraceConfig,
    TraceRequestChunkSentParams,
    TraceRequestEndParams,
    TraceResponseChunkReceivedParams,
)

# Names of parameters and members whose values open something, in every dialect and on the pages.
SECRET_NAMES = frozenset(
    {
        *("password", "current_password", "new_password", "client_secret", "app_secret", "code", "code_verifier"),
        *("otp_token", "otp_code", "two_step_auth_token", "two_step_auth_code", "reset_password_token"),
        *("reset_password_code", "access_token", "refresh_token", "auth_key", "token", "sign", "hash_token"),
        *("api_key_token", "key", "session_token", "fb_token", "csrf", "handle", "x-api-key", "state"),
    }
)
_SECRET_HEADERS = ("Authorization", "Authoriztion", "Basic", "X-API-KEY", "X-Session-Token")
_HIDDEN = re.compile(r'name="(\w+)" value="([^"]+)"')
_SHOWN_ONCE = re.compile(r'<code class="copy">([0-9a-f]{32,})</code>')
_SHORTEST = 8
_CODE = re.compile(r"[1-9][0-9]{5}")


@dataclass(frozen=True)
class Answered:
    """One answer."""

    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    cookies: tuple[str, ...]

    @property
    def is_page(self) -> bool:
        return self.headers.get("Content-Type", "").startswith("text/html")


@dataclass
class Recorder:
    """What was seen.

    Args:
        secrets: Values of 8 characters or more, by a name they were seen under.
        codes: Of six digits.
        answers: In their order.
    """

    secrets: dict[str, str] = field(default_factory=dict)
    codes: set[str] = field(default_factory=set)
    answers: list[Answered] = field(default_factory=list)

    def session(self) -> ClientSession:
        """Open a client that is watched and keeps no cookies of its own."""
        trace = TraceConfig(trace_config_ctx_factory=_Bytes)
        trace.on_request_chunk_sent.append(self._sent)
        trace.on_response_chunk_received.append(self._got)
        trace.on_request_end.append(self._ended)
        return ClientSession(cookie_jar=DummyCookieJar(), trace_configs=[trace])

    def keep(self, name: str, value: str) -> None:
        """Remember a secret."""
        if _CODE.fullmatch(value):
            self.codes.add(value)
        elif len(value) >= _SHORTEST:
            self.secrets.setdefault(value, name)

    async def _sent(self, _session: ClientSession, context: Any, params: TraceRequestChunkSentParams) -> None:
        context.sent += params.chunk

    async def _got(self, _session: ClientSession, context: Any, params: TraceResponseChunkReceivedParams) -> None:
        context.got += params.chunk

    async def _ended(self, _session: ClientSession, context: Any, params: TraceRequestEndParams) -> None:
        answer = params.response
        self._take(parse_qsl(answer.url.raw_query_string))
        self._take(_pairs(context.sent))
        self._take(_pairs(context.got))
        self._take(parse_qsl(urlsplit(answer.headers.get("Location", "")).query))
        for name in _SECRET_HEADERS:
            value = answer.request_info.headers.get(name, "") or answer.headers.get(name, "")
            self.keep(name, value.rpartition(" ")[2])
        for pair in answer.request_info.headers.get("Cookie", "").split("; "):
            self._cookie(pair)
        cookies = tuple(answer.headers.getall("Set-Cookie", ()))
        for each in cookies:
            self._cookie(each.partition(";")[0])
        if answer.url.path != "/outbox/messages":  # the tests' own look at mails
            self.answers.append(
                Answered(answer.method, answer.url.raw_path, answer.status, dict(answer.headers), cookies)
            )

    def _take(self, pairs: list[tuple[str, str]]) -> None:
        for name, value in pairs:
            if name.lower() in SECRET_NAMES:
                self.keep(name, value)

    def _cookie(self, pair: str) -> None:
        name, _, value = pair.partition("=")
        if "language" not in name:
            self.keep(name, value)


class _Bytes(SimpleNamespace):
    """Of one request: what was sent, and what came back."""

    sent: bytes = b""
    got: bytes = b""


def _pairs(body: bytes) -> list[tuple[str, str]]:
    """Return names and values in a body of any kind."""
    text = body.decode(errors="replace")
    if text.startswith(("{", "[")):
        try:
            return list(_members(json.loads(text)))
        except ValueError:
            return []
    if "<html" in text:
        return [*_HIDDEN.findall(text), *(("token", each) for each in _SHOWN_ONCE.findall(text))]
    if text.startswith("--"):
        return re.findall(r'name="(\w+)"\r\n\r\n([^\r]*)\r\n', text)
    return parse_qsl(text)


def _members(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, member in value.items():
            if isinstance(member, str | int):
                yield name, str(member)
            else:
                yield from _members(member)
    elif isinstance(value, list):
        for member in value:
            yield from _members(member)
