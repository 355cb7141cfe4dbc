"""The histogram of durations tells what the library's would."""

from prometheus_client import REGISTRY, CollectorRegistry, Histogram, generate_latest

from runtime.metrics import Durations

_SECONDS = (0.0, 0.001, 0.0011, 0.3, 10.0, 99.0)


def test_it_is_exposed_like_one_of_the_library() -> None:
    ours = Durations("toy_seconds", "Time.", ("what",))
    try:
        library = CollectorRegistry()
        theirs = Histogram("toy_seconds", "Time.", ["what"], buckets=ours.BOUNDS, registry=library)
        for seconds in _SECONDS:
            ours.observe(seconds, "work")
            theirs.labels("work").observe(seconds)
        exposed = [line for line in generate_latest(REGISTRY).decode().splitlines() if "toy_seconds" in line]
        expected = [line for line in generate_latest(library).decode().splitlines() if "_created" not in line]
        assert exposed == expected
    finally:
        REGISTRY.unregister(ours)
