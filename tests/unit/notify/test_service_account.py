"""Key files of Google service accounts: what is taken, and that nothing of a wrong one is shown."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from notify_service.service_account import read


def pem(key: Any) -> str:
    private: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode()


FACTS = {
    "type": "service_account",
    "project_id": "harbour-7f3c1",
    "private_key_id": "0123",
    "private_key": pem(rsa.generate_private_key(65537, 2048)),
    "client_email": "gatepost@harbour-7f3c1.iam.gserviceaccount.com",
    "token_uri": "https://oauth2.googleapis.com/token",
}


def test_a_key_file_is_read_and_its_key_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "account.json"
    file.write_text(json.dumps(FACTS))

    account = read(file)

    assert (account.project_id, account.token_uri) == ("harbour-7f3c1", "https://oauth2.googleapis.com/token")
    assert "private_key=" not in repr(account)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hush-hush", "no JSON"),
        ("[]", "no service account"),
        (json.dumps(FACTS | {"type": "authorized_user"}), "no service account"),
        (json.dumps(FACTS | {"client_email": "", "project_id": 7}), "lacks project_id, client_email"),
        (json.dumps(FACTS | {"private_key": "hush-hush"}), "private_key cannot be read"),
        (json.dumps(FACTS | {"private_key": pem(ec.generate_private_key(ec.SECP256R1()))}), "not RSA"),
    ],
)
def test_what_is_no_key_file_is_refused_without_being_shown(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "account.json"
    file.write_text(text)

    with pytest.raises(ValueError, match=reason) as caught:
        read(file)

    assert "hush" not in str(caught.value)
