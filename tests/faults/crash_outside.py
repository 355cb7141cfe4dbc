"""What is beyond a stack: a mail server, providers of text and push messages, a bucket, and Facebook, on loopback."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from facebook_server import FacebookServer
from store.notify import sms_server
from store.notify.fcm_server import FcmServer
from store.notify.mail_server import MailServer
from store.notify.sms_server import SmsServer

from user_service.media.s3 import Bucket, open_bucket

_CODE = re.compile(r"\b(\d{6})\b")


@dataclass(frozen=True)
class Outside:
    """Running servers.

    Args:
        settings: Of a stack that uses them.
    """

    mail: MailServer
    sms: SmsServer
    fcm: FcmServer
    facebook: FacebookServer
    settings: Mapping[str, str]

    def came(self, to: str) -> list[tuple[str, str]]:
        """Return what came to an address or number: id, which text messages have none of, and text, each once."""
        if "@" not in to:
            return list(dict.fromkeys(("", each["Body"]) for each in self.sms.messages if each["To"] == to))
        mails = [each for each in self.mail.mails if each["To"] == to]
        return list(dict.fromkeys((each["Message-ID"].strip("<>").partition("@")[0], _body(each)) for each in mails))

    def arrived(self, to: str, before: list[tuple[str, str]], listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the messages of an outbox that came, as they came.

        A mail may have come twice with its Message-ID, a text message twice with its text.

        Args:
            to: Whom they are to.
            before: What had come when the outbox was looked into.
            listed: What was found there, newest first.
        """
        now = self.came(to)
        sent = [each["id"] for each in listed if each["status"] == "sent"]
        assert len(sent) <= len(now), "lost"
        assert len(before) <= len(listed), before
        if "@" not in to:
            return [listed[0] | _read(text) for _, text in reversed(before)]
        texts = dict(before)
        assert texts.keys() <= {each["id"] for each in listed}, "a mail that nobody knows"
        assert len(texts) == len(before), "two mails with one Message-ID"
        assert set(sent) <= dict(now).keys(), "lost"
        return [each | _read(texts[each["id"]]) for each in listed if each["id"] in texts]


def _body(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def _read(text: str) -> dict[str, str]:
    code = _CODE.search(text)
    return {"text": text, "code": code[1] if code else ""}


@asynccontextmanager
async def outside(folder: Path) -> AsyncIterator[Outside]:
    """Start the servers.

    Args:
        folder: For the key of the push service.
    """
    from moto.server import ThreadedMotoServer  # noqa: PLC0415  seconds that other tests need not wait for

    mail, sms, fcm, facebook = MailServer(), SmsServer(), FcmServer(), FacebookServer()
    s3 = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    async with AsyncExitStack() as ending:
        for server in (mail, sms, fcm, facebook):
            await server.start()
            ending.push_async_callback(server.stop)
        s3.start()
        ending.callback(s3.stop)
        host, port = s3.get_host_and_port()
        bucket = Bucket(
            name="pictures",
            endpoint_url=f"http://{host}:{port}",
            region="us-east-1",
            access_key_id="someone",
            secret_access_key="canary",
        )
        media = await open_bucket(bucket)
        ending.push_async_callback(media.close)
        await media._client.create_bucket(Bucket=bucket.name)
        settings = {
            "MAIL_TRANSPORT": "smtp",
            "SMTP_HOST": mail.host,
            "SMTP_PORT": str(mail.port),
            "SMTP_TLS": "none",
            "SMS_TRANSPORT": "twilio",
            "SMS_BASE_URL": sms.url,
            "SMS_ACCOUNT_SID": sms_server.ACCOUNT,
            "SMS_AUTH_TOKEN": sms_server.AUTH_TOKEN,
            "SMS_FROM": sms_server.SENDER,
            "PUSH_TRANSPORT": "fcm",
            "FCM_BASE_URL": fcm.url,
            "FCM_CREDENTIALS_FILE": str(fcm.write_account(folder)),
            "USERS_MEDIA_S3_BUCKET": bucket.name,
            "USERS_MEDIA_S3_ENDPOINT_URL": str(bucket.endpoint_url),
            "USERS_MEDIA_S3_REGION": str(bucket.region),
            "USERS_MEDIA_S3_ACCESS_KEY_ID": str(bucket.access_key_id),
            "USERS_MEDIA_S3_SECRET_ACCESS_KEY": str(bucket.secret_access_key),
            "FACEBOOK_APP_ID": facebook.app_id,
            "FACEBOOK_APP_SECRET": facebook.app_secret,
            "FACEBOOK_BASE_URL": facebook.base_url,
            "DELIVERY_POLL_SECONDS": "0.2",
            "DELIVERY_BACKOFF_SECONDS": "0.2",
        }
        yield Outside(mail, sms, fcm, facebook, {f"GATEPOST_{name}": value for name, value in settings.items()})
