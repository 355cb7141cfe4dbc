"""Whether two questions take the same time, as far as somebody who asks them often enough could tell.

Samples are taken in pairs, in an order drawn for each, so that whatever slows the machine slows both alike. Two sets of
them differ when a rank test (Mann-Whitney, normal approximation) says so beyond doubt and the difference of the means
without their outer fifths is large enough to be of use.
"""

from collections.abc import Awaitable, Callable, Sequence
from math import sqrt
from random import Random
from statistics import fmean
from time import perf_counter

_CERTAIN = 3.5  # standard deviations: once in 2,000 comparisons by chance
_SHARE = 0.05  # of the shorter
_SECONDS = 0.0004
_TRIES = 3
Ask = Callable[..., Awaitable[object]]
"""Called with `known`."""


def ranks(samples: Sequence[float]) -> list[float]:
    """Return the rank of each, from 1; equal ones get the mean of theirs."""
    order = sorted(range(len(samples)), key=samples.__getitem__)
    found = [0.0] * len(samples)
    at = 0
    while at < len(order):
        end = at
        while end + 1 < len(order) and samples[order[end + 1]] == samples[order[at]]:
            end += 1
        for index in order[at : end + 1]:
            found[index] = (at + end) / 2 + 1
        at = end + 1
    return found


def deviation(first: Sequence[float], second: Sequence[float]) -> float:
    """Return by how many standard deviations the ranks of the first lie above those of the second."""
    n, m = len(first), len(second)
    u = sum(ranks([*first, *second])[:n]) - n * (n + 1) / 2
    return (u - n * m / 2) / sqrt(n * m * (n + m + 1) / 12)


def middle(samples: Sequence[float]) -> float:
    """Return the mean without the outer fifths."""
    cut = len(samples) // 5
    return fmean(sorted(samples)[cut : len(samples) - cut])


def difference(first: Sequence[float], second: Sequence[float]) -> float:
    """Return by how many seconds the first take longer; 0.0 where nobody could tell."""
    more = middle(first) - middle(second)
    least = max(_SECONDS, _SHARE * min(middle(first), middle(second)))
    return more if abs(more) > least and abs(deviation(first, second)) > _CERTAIN else 0.0


async def sampled(ask: Ask, pairs: int, random: Random) -> tuple[list[float], list[float]]:
    """Ask about what is known and what is not, in turn; return the seconds of each."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(pairs):
        for known in random.sample([True, False], 2):
            started = perf_counter()
            await ask(known=known)
            seconds[known].append(perf_counter() - started)
    return seconds[True], seconds[False]


async def told_apart(ask: Ask, pairs: int, random: Random) -> list[float]:
    """Return the differences of three series of samples, empty as soon as one shows none or the other sign."""
    found: list[float] = []
    for _ in range(_TRIES):
        more = difference(*await sampled(ask, pairs, random))
        if not more or (found and (more > 0) != (found[0] > 0)):
            return []
        found.append(more)
    return found
