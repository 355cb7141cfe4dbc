"""A Google service account, as its JSON key file says it. Called by the settings (to check) and `main` (to use)."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """Who we are to Google.

    Args:
        project_id: Firebase project.
        client_email: Name of the account.
        private_key: Signs for it. A secret.
        private_key_id: Which of its keys; may be empty.
        token_uri: Where signed assertions are exchanged for access tokens.
    """

    project_id: str
    client_email: str
    private_key: RSAPrivateKey = field(repr=False)
    private_key_id: str
    token_uri: str


def read(path: Path) -> ServiceAccount:
    """Read a key file as the Google Cloud console makes it.

    Raises:
        ValueError: It cannot be read, or is no service account's key. Nothing of it is in the text.
    """
    try:
        facts = json.loads(path.read_bytes())
    except (OSError, ValueError):
        raise ValueError("it is no JSON file that can be read") from None
    if not isinstance(facts, dict) or facts.get("type") != "service_account":
        raise ValueError("it is no service account's key (its `type` is another)")
    names = ("project_id", "client_email", "private_key", "token_uri")
    lacking = [name for name in names if not isinstance(facts.get(name), str) or not facts[name]]
    if lacking:
        raise ValueError(f"it lacks {', '.join(lacking)}")
    try:
        private_key = load_pem_private_key(facts["private_key"].encode(), password=None)
    except (ValueError, TypeError):
        raise ValueError("its private_key cannot be read") from None
    if not isinstance(private_key, RSAPrivateKey):
        raise ValueError("its private_key is not RSA")  # noqa: TRY004 a wrong file, not a wrong argument
    return ServiceAccount(
        project_id=facts["project_id"],
        client_email=facts["client_email"],
        private_key=private_key,
        private_key_id=str(facts.get("private_key_id", "")),
        token_uri=facts["token_uri"],
    )
