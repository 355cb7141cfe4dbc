"""Push messages by the FCM HTTP v1 API (firebase.google.com/docs/reference/fcm/rest/v1/projects.messages).

What FCM says of a device removes it; what it says of us (credentials, quota, outages) is tried again later.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import aiohttp

from notify_service.model import Message
from notify_service.transports import DeferredError, GoneError, RefusedError
from notify_service.transports.google_token import GoogleToken
from notify_service.transports.http import Answer, post
from runtime.clock import Clock

_OK, _BAD_REQUEST, _UNAUTHORIZED, _NOT_FOUND, _TOO_MANY = 200, 400, 401, 404, 429
_QUOTA_PAUSE = timedelta(minutes=1)  # what FCM's documentation asks for when it does not say itself


class FcmService:
    """Hands push messages to FCM.

    Args:
        session: With its timeouts; closed by whoever made it.
        base_url: `https://fcm.googleapis.com`, or a server that speaks its API.
        project_id: Firebase project.
        token: Our access token.
        clock: The time.
        concurrency: Messages to hand over at once.
    """

    keeps_content = False

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        project_id: str,
        token: GoogleToken,
        clock: Clock,
        *,
        concurrency: int,
    ) -> None:
        self._session = session
        self._url = f"{base_url.rstrip('/')}/v1/projects/{project_id}/messages:send"
        self._token = token
        self._clock = clock
        self.concurrency = concurrency

    async def push(self, token: str, message: Message) -> None:
        """Hand a message to one device.

        Raises:
            DeferredError: FCM cannot be reached or used, or says to come back.
            RefusedError: FCM finds the message itself wrong.
            GoneError: FCM does not know the device, or not as ours.
        """
        document = {"message": _message(token, message)}
        answer = await self._send(document)
        if _is_about_us(answer):
            answer = await self._send(document)  # with a new access token: the first is distrusted
        if answer.status != _OK:
            raise _explain(answer)

    async def _send(self, document: Mapping[str, Any]) -> Answer:
        token = await self._token.get()
        headers = {"Authorization": f"Bearer {token}"}
        answer = await post(self._session, self._url, self._clock.now(), headers=headers, document=document)
        if _is_about_us(answer):
            self._token.distrust(token)
        return answer


def _message(token: str, message: Message) -> dict[str, Any]:
    unique = str(message.id)
    return {
        "token": token,
        "notification": {"title": message.content.subject, "body": message.content.text.strip()},
        "data": {"id": unique, "template": message.template, "project": message.project},
        # The same message again, after a crash, replaces the first on the device's screen.
        "android": {"notification": {"tag": unique}},
        "apns": {"headers": {"apns-collapse-id": unique}},
    }


def _explain(answer: Answer) -> DeferredError | RefusedError | GoneError:
    code = _code(answer)
    text = f"FCM answered {answer.status} {code}".strip()
    if code in {"UNREGISTERED", "SENDER_ID_MISMATCH"} or (answer.status, code) == (_NOT_FOUND, "NOT_FOUND"):
        return GoneError(text)
    if answer.status == _BAD_REQUEST and code == "INVALID_ARGUMENT":
        return GoneError(text) if _is_about_token(answer) else RefusedError(text)
    if code == "THIRD_PARTY_AUTH_ERROR":  # Apple's or a browser's push service refuses what the Firebase project has
        return DeferredError(text, one_device=True)
    wait = answer.retry_after
    if answer.status == _TOO_MANY and wait is None:
        wait = _QUOTA_PAUSE
    return DeferredError(text, retry_after=wait)


def _code(answer: Answer) -> str:
    """Return FCM's own error code, else the API's status; empty when the answer is none of Google's."""
    error = answer.body.get("error")
    if not isinstance(error, dict):
        return ""
    codes = [detail.get("errorCode") for detail in _details(error)]
    codes.append(error.get("status"))
    return next((code for code in codes if isinstance(code, str) and code.replace("_", "").isalpha()), "")[:40]


def _is_about_us(answer: Answer) -> bool:
    return answer.status == _UNAUTHORIZED and _code(answer) != "THIRD_PARTY_AUTH_ERROR"


def _is_about_token(answer: Answer) -> bool:
    error = answer.body["error"]
    fields = [
        violation.get("field")
        for detail in _details(error)
        for violation in _listed(detail, "fieldViolations")
        if isinstance(violation, dict)
    ]
    return "message.token" in fields or "registration token" in str(error.get("message", "")).lower()


def _details(error: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (detail for detail in _listed(error, "details") if isinstance(detail, dict))


def _listed(said: Mapping[str, Any], name: str) -> list[Any]:
    found = said.get(name)
    return found if isinstance(found, list) else []
