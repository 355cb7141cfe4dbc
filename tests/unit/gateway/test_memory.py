"""What the gateway remembers: only while it is certain to hold, never more than it may, and nothing that changed."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.users.v1.profiles_pb2 import Profile
from gateway.memory import EVERYTHING, YOUNG_SECONDS, Memory
from runtime.errors import GatepostError, Reason

SECONDS = 30.0


@dataclass
class Time:
    """A clock that moves when told."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def a_memory(time: Callable[[], float], entries: int = 10, seconds: float = SECONDS) -> Memory[Profile]:
    return Memory("test", keys=keys_of, lives=lambda _profile: seconds, entries=entries, clock=time)


def keys_of(profile: Profile) -> tuple[str, ...]:
    return f"profile:{profile.user_id}", f"project:{profile.project_id}"


async def answered(profile: Profile) -> Profile:
    return profile


async def keep(memory: Memory[Profile], name: str, project: str = "p") -> Profile:
    return await memory.load(name, answered(Profile(user_id=name, project_id=project)))


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def memory(time: Time) -> Memory[Profile]:
    made = a_memory(time)
    made.covered_until = time.now + 1000
    return made


async def test_an_answer_is_remembered(memory: Memory[Profile]) -> None:
    assert memory.find("ann") is None
    kept = await keep(memory, "ann")
    assert memory.find("ann") is kept


async def test_it_is_over_after_its_time_however_well_covered(memory: Memory[Profile], time: Time) -> None:
    await keep(memory, "ann")
    time.now += SECONDS - 0.01
    assert memory.find("ann") is not None
    time.now += 0.02
    assert memory.find("ann") is None


async def test_its_time_begins_when_it_is_asked_for(memory: Memory[Profile], time: Time) -> None:
    async def slow() -> Profile:
        time.now += SECONDS
        return Profile(user_id="ann")

    await memory.load("ann", slow())
    assert memory.find("ann") is None


async def test_uncovered_it_is_used_while_young_only(memory: Memory[Profile], time: Time) -> None:
    await keep(memory, "ann")
    memory.covered_until = 0
    assert memory.find("ann") is not None
    time.now += YOUNG_SECONDS
    assert memory.find("ann") is None


async def test_it_is_used_again_once_it_is_covered_again(memory: Memory[Profile], time: Time) -> None:
    await keep(memory, "ann")
    memory.covered_until, time.now = 0, time.now + 1
    assert memory.find("ann") is None
    memory.covered_until = time.now + 1
    assert memory.find("ann") is not None


@pytest.mark.parametrize("key", ["profile:ann", "project:p", EVERYTHING])
async def test_what_an_answer_depends_on_forgets_it(memory: Memory[Profile], key: str) -> None:
    await keep(memory, "ann")
    memory.forget([key])
    assert memory.find("ann") is None


async def test_what_it_does_not_depend_on_does_not(memory: Memory[Profile]) -> None:
    await keep(memory, "ann")
    memory.forget(["profile:bob", "project:q", "ann"])
    assert memory.find("ann") is not None


@pytest.mark.parametrize("key", ["profile:ann", "project:p", EVERYTHING])
async def test_what_changes_while_it_is_asked_for_is_not_remembered(memory: Memory[Profile], key: str) -> None:
    asked = asyncio.Event()

    async def late() -> Profile:
        await asked.wait()
        return Profile(user_id="ann", project_id="p")

    loading = asyncio.create_task(memory.load("ann", late()))
    await asyncio.sleep(0)
    memory.forget([key])
    asked.set()
    assert (await loading).user_id == "ann"
    assert memory.find("ann") is None


async def test_what_others_change_meanwhile_is_no_hindrance(memory: Memory[Profile]) -> None:
    async def meanwhile() -> Profile:
        memory.forget(["profile:bob"])
        return Profile(user_id="ann", project_id="p")

    await memory.load("ann", meanwhile())
    assert memory.find("ann") is not None


async def test_a_refusal_is_not_remembered(memory: Memory[Profile]) -> None:
    async def refuse() -> Profile:
        raise GatepostError(Reason.NOT_FOUND)

    with pytest.raises(GatepostError):
        await memory.load("ann", refuse())
    assert memory.find("ann") is None
    assert not memory._loading


async def test_the_oldest_go_first_when_there_are_too_many(memory: Memory[Profile]) -> None:
    for number in range(12):
        await keep(memory, str(number))
    assert [memory.find(str(number)) is None for number in range(12)] == [True] * 2 + [False] * 10


async def test_what_is_over_goes_when_something_new_comes(memory: Memory[Profile], time: Time) -> None:
    for number in range(5):
        await keep(memory, str(number))
    time.now += SECONDS
    await keep(memory, "new")
    assert list(memory._entries) == ["new"]


async def test_what_is_large_is_not_kept(memory: Memory[Profile]) -> None:
    await memory.load("ann", answered(Profile(user_id="ann", meta="x" * 10_000)))
    assert memory.find("ann") is None


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["keep", "forget", "wait"]), st.integers(0, 6), st.integers(0, 2))))
def test_names_and_keys_agree_whatever_happens(acts: list[tuple[str, int, int]]) -> None:
    time = Time()
    memory = a_memory(time, entries=4, seconds=5)

    async def run() -> None:
        for act, who, where in acts:
            match act:
                case "keep":
                    await keep(memory, str(who), str(where))
                case "forget":
                    memory.forget([f"profile:{who}" if where else f"project:{who}"])
                case _:
                    time.now += who
            by_name = {(key, name) for name, entry in memory._entries.items() for key in entry.keys}
            assert by_name == {(key, name) for key, names in memory._by_key.items() for name in names}
            assert all(memory._by_key.values())
            assert len(memory._entries) <= 4

    asyncio.run(run())
