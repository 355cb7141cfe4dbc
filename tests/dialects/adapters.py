"""The dialects under test: one small adapter each. A new dialect is one entry here."""

from typing import Any

from dialects.scenarios import Adapter, Sample

from gateway.dialects import ihopr


def _is_ihopr_error(body: Any) -> bool:
    return (
        list(body)[:2] == ["status", "message"]
        and body["status"] == "error"
        and isinstance(body["message"], str)
        and set(body) <= {"status", "message", "errors"}
        and all(isinstance(each, list) and each for each in body.get("errors", {}).values())
    )


ADAPTERS = (
    Adapter(
        dialect=ihopr.DIALECT,
        unknown_path="/api/v1/nothing",
        form=Sample(
            "POST",
            "/api/v1/api-tauth-token",
            {"client_id": "1234567", "client_secret": "secret", "code": "0" * 32},
        ),
        secured=Sample("GET", "/api/v1/user", {}),
        token_headers=lambda token: {"Authorization": f"Bearer {token}"},
        is_error=_is_ihopr_error,
    ),
)
