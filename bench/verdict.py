"""From rounds to figures: medians, spreads, ratios to limit and best peer, and whether a goal is missed. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.ceilings.measure import Sample
from bench.goals import GOALS, NOISE, Goal
from bench.rounds import Round

_MOST_NOISE = 0.3


@dataclass(frozen=True)
class Figure:
    """A median and how far the rounds lie apart."""

    value: float
    low: float
    high: float

    @property
    def noise(self) -> float:
        """Half the spread, as a part of the median; never below NOISE, never above what would hide anything."""
        spread = (self.high - self.low) / 2 / self.value if self.value else 0.0
        return min(max(spread, NOISE), _MOST_NOISE)

    def below(self, goal: float) -> bool:
        """Say whether it misses a goal by more than the noise."""
        return self.value * (1 + self.noise) < goal


@dataclass(frozen=True)
class Verdict:
    """One workload of ours.

    Attributes:
        ratio: to the limit; None if the limit was not measured.
        limit: in microseconds of CPU, or in hashes per second.
        peer_ratio: to the best peer; None without one.
        peer: its name.
        cpu_us: of one operation.
        errors: of all rounds.
        misses: goals that are missed, in words.
        installable: the ratio to the best hasher that needs no compiler; None for what does not hash.
    """

    workload: str
    ratio: Figure | None
    limit: float
    peer_ratio: Figure | None
    peer: str
    cpu_us: Figure
    errors: int
    misses: Sequence[str]
    installable: Figure | None = None

    def line(self) -> str:
        """Return the one line of a quick run."""
        ratio = f"{self.ratio.value:.2f}" if self.ratio else "-"
        peer = f"{self.peer_ratio.value:.2f}" if self.peer_ratio else "-"
        cpu = round(self.cpu_us.value)
        return f"{self.workload} ratio_to_limit={ratio} ratio_to_best_peer={peer} cpu_us={cpu} errors={self.errors}"


def figure(values: Sequence[float]) -> Figure:
    """Return median, least and most."""
    return Figure(median(values), min(values), max(values))


def judge(
    workload: str,
    rounds: Sequence[Round],
    ceilings: Mapping[str, Sequence[Sample]],
    peers: Mapping[str, Sequence[Round]],
) -> Verdict:
    """Compare a workload with its limit and with the peers that have it.

    Args:
        workload: its name; one without a goal is only compared.
        rounds: ours.
        ceilings: rounds of each part.
        peers: rounds of each peer, for this workload; with errors they do not count.
    """
    goal = GOALS.get(workload)
    ratio, limit = _to_limit(goal, rounds, ceilings)
    fit = {name: median(r.cpu_us for r in found) for name, found in peers.items() if found and not _errors(found)}
    peer = min(fit, key=lambda name: fit[name], default="")
    peer_ratio = figure([fit[peer] / r.cpu_us for r in rounds]) if peer else None
    misses = []
    if goal and ratio and ratio.below(goal.ratio):
        misses.append(f"{ratio.value:.2f} of the limit, goal {goal.ratio}")
    if goal and peer_ratio and peer_ratio.below(goal.peers):
        misses.append(f"{peer_ratio.value:.2f} times cheaper than {peer}, goal {goal.peers}")
    if _errors(rounds):
        misses.append(f"{_errors(rounds)} errors: {next((r.sample for r in rounds if r.sample), 'connections lost')}")
    cpu = figure([r.cpu_us for r in rounds])
    installable = _to_loop(rounds, ceilings.get("hash_installable", ())) if goal and goal.hashes else None
    return Verdict(workload, ratio, limit, peer_ratio, peer, cpu, _errors(rounds), misses, installable)


def _to_limit(
    goal: Goal | None, rounds: Sequence[Round], ceilings: Mapping[str, Sequence[Sample]]
) -> tuple[Figure | None, float]:
    if goal is None or not set(goal.parts or {"hash": 1}) <= {part for part, found in ceilings.items() if found}:
        return None, 0.0
    if goal.hashes:
        return _to_loop(rounds, ceilings["hash"]), median(sample.per_second for sample in ceilings["hash"])
    limit = sum(share * median(s.cpu_us for s in ceilings[part]) for part, share in goal.parts.items())
    return figure([limit / r.cpu_us for r in rounds]), limit


def _to_loop(rounds: Sequence[Round], loops: Sequence[Sample]) -> Figure | None:
    """Compare each round with the bare loop of its own round; None without one."""
    ratios = [found.per_second / bare.per_second for found, bare in zip(rounds, loops, strict=False)]
    return figure(ratios) if ratios else None


def _errors(rounds: Sequence[Round]) -> int:
    return sum(found.errors for found in rounds)
