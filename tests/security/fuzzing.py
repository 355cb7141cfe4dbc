"""How the fuzz tests of this folder draw: the same in every run of CI, many times as much with GATEPOST_FAULTS=full."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

FULL = os.environ.get("GATEPOST_FAULTS") == "full"
_TIMES = 50 if FULL else 1
PATIENCE_SECONDS = 2.0

# What tends to break parsers, among texts of any characters.
_BREAKERS = (
    *("\0", "\r\n", "\n", "\t", " ", "%00", "%", "%zz", "\\", "/", "//", "?", "#", "@", ":", ";", ",", "=", "&", "+"),
    *("[", "]", "{", "}", '"', "'", "<script>", "${x}", "{{7*7}}", "%s", "..", "../", "\u202e", "\u2066", "\u2028"),
    *(
        "\ufeff",
        "\ud800",
        "\udcff",
        "e\u0301",
        "ß",
        "ŉ",
        "İ",
        "\ufdfa",
        "👩‍🚀",
        "\uff11",
        "٣",
        "null",
        "-1",
        "1e999",
        "0x10",
    ),
)
hostile = st.lists(st.sampled_from(_BREAKERS) | st.text(max_size=6), max_size=8).map("".join)
storable = st.text(st.characters(exclude_categories=["Cs"]))


def fuzzed(examples: int) -> Callable[..., Any]:
    """Return the settings of a test that draws so many examples in CI."""
    return settings(
        max_examples=examples * _TIMES,
        deadline=None,
        database=None,
        derandomize=not FULL,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@contextmanager
def soon() -> Iterator[None]:
    """Check that what is done inside takes no longer than parsing may, however it was built."""
    began = time.thread_time()
    yield
    assert time.thread_time() - began < PATIENCE_SECONDS
