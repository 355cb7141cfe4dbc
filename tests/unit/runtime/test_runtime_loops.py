"""Background loops, settings sentences, and the context of a call."""

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import Field

from runtime.clock import ManualClock, SystemClock
from runtime.context import CallContext, bound, current
from runtime.errors import GatepostError, Reason
from runtime.loops import Loop
from runtime.settings import Address, AddressOrSocket, PostgresDsn, SharedSettings, load
from runtime.valkey import Valkey

KEY = "k" * 32


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not condition():  # noqa: ASYNC110 another task's state
            await asyncio.sleep(0.002)


async def test_a_loop_goes_on_at_once_while_there_is_more_and_then_rests() -> None:
    steps = []

    async def step() -> bool:
        steps.append(1)
        return len(steps) < 5

    loop = Loop("test", 60, step)
    loop.start()
    await until(lambda: len(steps) == 5)
    await asyncio.sleep(0.02)
    assert len(steps) == 5
    loop.nudge()
    await until(lambda: len(steps) == 6)
    await loop.stop()


async def test_a_nudge_during_a_step_is_not_lost() -> None:
    steps = []

    async def step() -> bool:
        steps.append(1)
        if len(steps) == 1:
            loop.nudge()
        await asyncio.sleep(0)
        return False

    loop = Loop("test", 60, step)
    loop.start()
    await until(lambda: len(steps) == 2)
    await loop.stop()


@pytest.mark.parametrize("error", [GatepostError(Reason.UNAVAILABLE), KeyError("ours")])
async def test_a_loop_outlives_a_failing_step(error: Exception) -> None:
    steps = []

    async def step() -> bool:
        steps.append(1)
        if len(steps) < 3:
            raise error
        return False

    loop = Loop("test", 0.01, step)
    loop.start()
    await until(lambda: len(steps) >= 3)
    await loop.stop()


async def test_a_loop_is_stopped_in_the_middle_of_a_step() -> None:
    reached = asyncio.Event()

    async def step() -> bool:
        reached.set()
        await asyncio.sleep(60)
        return True

    loop = Loop("test", 60, step)
    loop.start()
    await reached.wait()
    async with asyncio.timeout(1):
        await loop.stop()
    await Loop("never started", 1, step).stop()


def test_a_call_context_is_bound_to_its_block() -> None:
    assert current() == CallContext()
    with bound(CallContext(request_id="outer")):
        with bound(CallContext(request_id="inner")):
            assert current().request_id == "inner"
        assert current().request_id == "outer"
    assert current().remaining_seconds() is None


def test_a_manual_clock_moves_when_told_and_the_real_one_by_itself() -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    clock.advance(timedelta(days=1))
    assert clock.now() == datetime(2026, 1, 2, tzinfo=UTC)
    assert SystemClock().now().tzinfo is UTC


class Sample(SharedSettings):
    listen: Address = Field("127.0.0.1:1", description="x")
    door: AddressOrSocket = Field("unix:/x", description="x")
    dsn: PostgresDsn = Field(description="x")
    seconds: int = Field(1, ge=1, description="x")


GOOD = {"GATEPOST_SERVICE_KEYS": f"{KEY}, {KEY}", "GATEPOST_DSN": "postgresql://u:p%40@h/d"}


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("GATEPOST_SERVICE_KEYS", None, "GATEPOST_SERVICE_KEYS is required."),
        ("GATEPOST_SERVICE_KEYS", "canary", "GATEPOST_SERVICE_KEYS: service keys need 32 characters or more each."),
        ("GATEPOST_DSN", "postgresql://u:can@ary@h/d", "GATEPOST_DSN is wrong: must be postgresql://"),
        ("GATEPOST_SECONDS", "canary", "GATEPOST_SECONDS is wrong: "),
        ("GATEPOST_SECONDS", "0", "GATEPOST_SECONDS is wrong: "),
        ("GATEPOST_LISTEN", "host", "GATEPOST_LISTEN is wrong: must be host:port with a port of 0 to 65535."),
        ("GATEPOST_LISTEN", "host:65536", "GATEPOST_LISTEN is wrong: must be host:port"),
        ("GATEPOST_LISTEN", "::1:80", "GATEPOST_LISTEN is wrong: must write an IPv6 address in brackets"),
        ("GATEPOST_LISTEN", "unix:/x", "GATEPOST_LISTEN is wrong: must be host:port"),
        ("GATEPOST_DOOR", "unix:x", "GATEPOST_DOOR is wrong: must be host:port"),
        ("GATEPOST_LOG_LEVEL", "loud", "GATEPOST_LOG_LEVEL is wrong: "),
        (
            "GATEPOST_GRPC_TLS_CERT_FILE",
            __file__,
            "mutual TLS needs GATEPOST_GRPC_TLS_CERT_FILE, _KEY_FILE and _CA_FILE",
        ),
        ("GATEPOST_GRPC_TLS_CERT_FILE", "/nowhere", "GATEPOST_GRPC_TLS_CERT_FILE is wrong: "),
        ("GATEPOST_SHUTDOWN_GRACE_SECONDS", "0", "GATEPOST_SHUTDOWN_GRACE_SECONDS is wrong: "),
    ],
)
def test_a_wrong_setting_is_one_sentence_without_its_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str | None, sentence: str
) -> None:
    for variable, text in (GOOD | {name: value}).items():
        if text is None:
            monkeypatch.delenv(variable, raising=False)
        else:
            monkeypatch.setenv(variable, text)
    with pytest.raises(SystemExit) as caught:
        load(Sample)
    said = capsys.readouterr().err
    assert caught.value.code == 2
    assert re.match(re.escape(sentence), said)
    assert len(said.splitlines()) == 1
    assert "canary" not in said
    assert "can@ary" not in said


def test_right_settings_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, text in GOOD.items():
        monkeypatch.setenv(variable, text)
    assert load(Sample).service_key_list == [KEY, KEY]


@pytest.mark.parametrize(
    "url",
    [
        "canary",
        "http://:canary@x",
        "redis://:can/ary@x:1",
        "redis://x:canary",
        "redis://x?db=canary",
        "redis+cluster://x:canary",
    ],
)
async def test_an_address_of_valkey_that_cannot_be_read_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError, match="the Valkey URL cannot be read") as caught:
        Valkey.connect(url)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_every_module_of_the_runtime_says_what_it_is_for() -> None:
    import runtime  # noqa: PLC0415

    for file in Path(runtime.__file__).parent.glob("*.py"):
        assert file.read_text(encoding="utf-8").startswith('"""'), file.name
