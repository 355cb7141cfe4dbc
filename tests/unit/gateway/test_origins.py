"""CORS: whose pages may read, and how long an answer about that is kept."""

import pytest
from dialects.local_gateway import LocalGateway

from gateway.origins import Origins
from runtime.errors import GatepostError, Reason

LISTED = "https://app.example"


class Registry:
    """Origins that apps list, and whether it can be asked at all."""

    def __init__(self, *listed: str) -> None:
        self.listed = set(listed)
        self.asked: list[str] = []
        self.away = False

    async def allows(self, origin: str) -> bool:
        self.asked.append(origin)
        if self.away:
            raise GatepostError(Reason.UNAVAILABLE)
        return origin in self.listed


async def test_a_listed_origin_is_allowed_and_another_is_not() -> None:
    origins = Origins(Registry(LISTED).allows, cache_seconds=60, cache_entries=10)
    assert await origins.allows(LISTED)
    assert not await origins.allows("https://evil.example")


@pytest.mark.parametrize("origin", ["null", "*", "", "file://", "https://a b", "https://é.example", "javascript:x"])
async def test_what_is_no_web_origin_is_refused_without_asking(origin: str) -> None:
    registry = Registry(origin)
    assert not await Origins(registry.allows, cache_seconds=60, cache_entries=10).allows(origin)
    assert registry.asked == []


async def test_an_answer_is_kept_for_a_while() -> None:
    registry = Registry(LISTED)
    origins = Origins(registry.allows, cache_seconds=60, cache_entries=10)
    assert [await origins.allows(LISTED) for _ in range(3)] == [True] * 3
    assert len(registry.asked) == 1


async def test_an_answer_is_asked_for_again_after_that() -> None:
    registry = Registry(LISTED)
    origins = Origins(registry.allows, cache_seconds=0, cache_entries=10)
    assert await origins.allows(LISTED)
    registry.listed.clear()
    assert not await origins.allows(LISTED)


async def test_when_nobody_can_be_asked_the_last_answer_holds() -> None:
    registry = Registry(LISTED)
    origins = Origins(registry.allows, cache_seconds=0, cache_entries=10)
    assert await origins.allows(LISTED)
    registry.away = True
    assert await origins.allows(LISTED)
    assert not await origins.allows("https://new.example")


async def test_only_so_many_answers_are_kept() -> None:
    registry = Registry()
    origins = Origins(registry.allows, cache_seconds=60, cache_entries=2)
    for name in ("a", "b", "c", "a"):
        await origins.allows(f"https://{name}.example")
    assert len(registry.asked) == 4


async def test_an_unlisted_origin_gets_its_answer_without_permission_to_read_it(gateway: LocalGateway) -> None:
    async with gateway.client.get("/toy/facts", headers={"Origin": LISTED}) as answer:
        assert answer.status == 200
        assert answer.headers["Vary"] == "Origin"
        assert not [name for name in answer.headers if name.startswith("Access-Control")]


async def test_the_preflight_of_an_unlisted_origin_is_an_ordinary_wrong_method(gateway: LocalGateway) -> None:
    headers = {"Origin": LISTED, "Access-Control-Request-Method": "POST"}
    async with gateway.client.options("/toy/echo", headers=headers) as answer:
        assert answer.status == 405
        assert not [name for name in answer.headers if name.startswith("Access-Control")]
