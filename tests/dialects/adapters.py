"""The dialects under test: one small adapter each. A new dialect is one entry here."""

import re
from typing import Any

from dialects.scenarios import Adapter, Sample

from gateway.dialects import ihopr, ossn, shoop, sngine, vorgid
from runtime.errors import Reason


def _is_ihopr_error(body: Any) -> bool:
    return (
        list(body)[:2] == ["status", "message"]
        and body["status"] == "error"
        and isinstance(body["message"], str)
        and set(body) <= {"status", "message", "errors"}
        and all(isinstance(each, list) and each for each in body.get("errors", {}).values())
    )


def _is_ossn_error(body: Any) -> bool:
    return (
        list(body) == ["merchant", "url", "time_token", "payload", "code", "message"]
        and isinstance(body["merchant"], str)
        and body["url"].endswith("/")
        and isinstance(body["time_token"], int)
        and body["payload"] is False
        and body["code"] in {"101", "102", "103", "104", "105", "106", "107", "200"}
        and isinstance(body["message"], str)
    )


def _is_shoop_error(body: Any) -> bool:
    return list(body) == ["status", "error"] and body["status"] == 0 and isinstance(body["error"], str)


def _is_sngine_error(body: Any) -> bool:
    return list(body) == ["error", "message"] and body["error"] is True and isinstance(body["message"], str)


def _is_vorgid_error(body: Any) -> bool:
    if list(body) == ["error", "error_description"]:  # at the token endpoint
        return isinstance(body["error_description"], str) and bool(re.fullmatch("[a-z_]+", body["error"]))
    return (
        list(body) == ["error", "error_data"]
        and bool(re.fullmatch("[a-z ]+", body["error"]))
        and (body["error_data"] == {} or isinstance(body["error_data"], str))
    )


ADAPTERS = (
    Adapter(
        dialect=sngine.DIALECT,
        unknown_path="/api/nothing",
        form=Sample("POST", "/api/authorize", {"app_id": "1234567", "app_secret": "0" * 32, "auth_key": "0" * 64}),
        secured=Sample("GET", "/api/get_user_info", {}),
        token_headers=lambda token: {"Authorization": f"Bearer {token}"},
        is_error=_is_sngine_error,
    ),
    Adapter(
        dialect=ossn.DIALECT,
        unknown_path="/api/v1.0/nothing",
        form=Sample(
            "POST",
            "/api/v1.0/user_authenticate",
            {"api_key_token": "0" * 64, "username": "administrator", "password": "tunnel-lantern-42"},
        ),
        secured=Sample("GET", "/api/v1.0/user_details", {}),
        token_headers=lambda token: {"X-API-KEY": token},
        is_error=_is_ossn_error,
        # The key has the first word, and it has no header.
        instead=dict.fromkeys(
            ("no parameters", "no body", "no token", "no core to check a token"), Reason.API_KEY_INVALID
        ),
    ),
    Adapter(
        dialect=shoop.DIALECT,
        unknown_path="/api/v2/nothing",
        form=Sample("POST", "/api/v2/auth/login", {"email": "a@example.com", "password": "tunnel-lantern-42"}),
        secured=Sample("GET", "/api/v2/user/get_active_user", {}),
        token_headers=lambda token: {"X-API-KEY": token},
        is_error=_is_shoop_error,
    ),
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
    Adapter(
        dialect=vorgid.DIALECT,
        unknown_path="/v1/vorg-id/nothing",
        form=Sample(
            "POST",
            "/oauth2/token",
            {
                "grant_type": "authorization_code",
                "client_id": "1234567",
                "client_secret": "secret",
                "code": "0" * 32,
            },
        ),
        secured=Sample("GET", "/v1/vorg-id/get/personal", {}),
        token_headers=lambda token: {"Authorization": f"Bearer {token}"},
        is_error=_is_vorgid_error,
    ),
)
