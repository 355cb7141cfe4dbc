"""The published samples of Shoop: every sample command is run by curl, every sample answer comes back.

The publisher's page blots out addresses: where a sample says `[email protected]`, there stood `email=` and an address.
"""

import asyncio
import json
import shlex
from pathlib import Path
from typing import Any

import argon2
import asyncpg
import pytest
from conftest import GatepostStack
from dialects.shoop_client import Shoop, new_email

GOLDEN = Path(__file__).parent / "golden" / "shoop"
BLOT = "[email protected]"
PUBLISHED_PASSWORD = "rahasia"


def sample(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


async def curl(shoop: Shoop, command: str) -> Any:
    """Run a sample command, with the host replaced."""
    words = shlex.split(command.replace("http://shoop.dev", f"{shoop.stack.url}/t/{shoop.project}"))
    process = await asyncio.create_subprocess_exec(*words, "--silent", stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(output)


def command(name: str, email: str, password: str = PUBLISHED_PASSWORD) -> str:
    text: str = sample(name)["request"]["command"]
    return text.replace(BLOT, f"email={email}").replace(f"password={PUBLISHED_PASSWORD}", f"password={password}")


def assert_key(answer: Any, published: Any) -> None:
    assert list(answer) == list(published) == ["status", "key"]
    assert answer["status"] == published["status"] == 1
    assert len(answer["key"]) == len(published["key"]) == 40
    assert set(answer["key"]) <= set("0123456789abcdef")


async def set_password(stack: GatepostStack, email: str, password: str) -> None:
    """Give an account a password that it could not choose here, as one that was brought over from elsewhere has."""
    connection = await asyncpg.connect(stack.cli("status")["postgres"]["dsns"]["auth"])
    try:
        await connection.execute(
            "UPDATE credentials SET hash = $2 WHERE kind = 'password' AND account_id = "
            "(SELECT account_id FROM identifiers WHERE value = $1)",
            email,
            argon2.PasswordHasher(memory_cost=64, time_cost=1).hash(password),
        )
    finally:
        await connection.close()


async def test_the_login_command_gives_a_key(shoop: Shoop) -> None:
    email, _ = await shoop.registered()
    await set_password(shoop.stack, email, PUBLISHED_PASSWORD)
    assert_key(await curl(shoop, command("login", email)), sample("login")["answers"][0])


async def test_the_login_command_with_a_wrong_password(shoop: Shoop) -> None:
    email, _ = await shoop.registered()
    assert await curl(shoop, command("login", email)) == sample("login")["errors"]["password invalid"]


async def test_the_login_command_without_its_password(shoop: Shoop) -> None:
    text = command("login", new_email()).replace(f"&password={PUBLISHED_PASSWORD}", "")
    assert await curl(shoop, text) == sample("login")["errors"]["missing parameter"]


async def test_the_register_command_gives_a_key_once_its_password_is_long_enough(shoop: Shoop) -> None:
    email = new_email()
    refused = await curl(shoop, command("register", email))
    assert refused == {"status": 0, "error": "Your password is too weak."}
    answer = await curl(shoop, command("register", email, "rahasia-sekali-42"))
    assert_key(answer, sample("register")["answers"][0])
    user = await shoop.user(answer["key"])
    assert (user["name"], user["id_location"], user["phone"]) == ("shcode", "7", "082232856363")


async def test_the_forgot_password_command_is_answered_as_published(shoop: Shoop) -> None:
    email, _ = await shoop.registered()
    for address in (email, new_email()):
        answer = await curl(shoop, command("forgot_password", address))
        assert answer == sample("forgot_password")["answers"][0]


@pytest.mark.parametrize("name", ["login", "register", "forgot_password"])
async def test_a_command_with_its_address_blotted_out_lacks_the_address(shoop: Shoop, name: str) -> None:
    answer = await curl(shoop, sample(name)["request"]["command"])
    missing = "Your parameter is not complete. Missing parameter 'email'."
    assert answer == {"status": 0, "error": missing}


async def test_every_published_parameter_is_taken(shoop: Shoop) -> None:
    published = sample("register")["request"]["parameters"]
    values = dict.fromkeys(published, "1") | {"email": new_email(), "password": "rahasia-sekali-42", "fb_token": ""}
    assert_key((await shoop.post("auth/register", **values)).success, sample("register")["answers"][0])
