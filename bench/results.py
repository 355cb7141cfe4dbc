"""How much is measured, and what was: plain data between `run` and `report`."""

from dataclasses import dataclass, field
from typing import Any

from bench.ceilings.measure import Sample
from bench.instances import Compared
from bench.rounds import Round, Subject
from bench.verdict import Verdict, judge


@dataclass(frozen=True)
class Extent:
    """How much is measured.

    Attributes:
        name: `quick` or `full`.
        rounds: of everything.
        seconds: of one round.
        users: in our stack.
        tokens: distinct ones that are used again and again.
        peer_users: in each peer.
        idle_seconds: how long nobody asks, for the idle CPU time.
        second_until: seconds after which no second round begins; 0 for no end.
        peers_until: seconds after which peers get no second round; 0 for no end.
    """

    name: str
    rounds: int
    seconds: float
    users: int
    tokens: int
    peer_users: int
    idle_seconds: float
    second_until: float
    peers_until: float

    @property
    def full(self) -> bool:
        """Whether it takes as long as it takes."""
        return not self.peers_until


QUICK = Extent("quick", 2, 1, 10_000, 2_000, 1_000, 2, 90, 110)
FULL = Extent("full", 5, 5, 100_000, 4_000, 4_000, 10, 0, 0)


@dataclass
class Entrants:
    """The peers of one run.

    Attributes:
        subjects: what is measured of each.
        described: versions, settings, memory and start time of each.
        alike: workloads that are the very same requests as another one, for each.
        unequal: workloads that are less work than ours, and in what, for each.
        missing: why the others are not there.
    """

    subjects: dict[str, Subject] = field(default_factory=dict)
    described: dict[str, dict[str, Any]] = field(default_factory=dict)
    alike: dict[str, dict[str, str]] = field(default_factory=dict)
    unequal: dict[str, dict[str, str]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def rounds(self, workload: str) -> dict[str, list[Round]]:
        """Return what was measured of a workload, by peer."""
        found = {}
        for name, subject in self.subjects.items():
            rounds = subject.rounds.get(self.alike[name].get(workload, workload))
            if rounds:
                found[name] = rounds
        return found

    def equals(self, workload: str) -> dict[str, list[Round]]:
        """Return the same without the peers that do less work than we do."""
        return {name: rounds for name, rounds in self.rounds(workload).items() if workload not in self.unequal[name]}


@dataclass
class Results:
    """Everything that was measured.

    Attributes:
        facts: about the machine.
        ours: our stack.
        ceilings: rounds of each part.
        hashers: each hasher in one comparison; `best_hasher` is the limit, `installable_hasher` the best of those that
            need no compiler.
        peers: hashing as we do.
        defaults: hashing as they do by themselves; in a full run.
        saturated_p95: milliseconds of cheap calls while the hash pool is saturated, by round.
        idle_cpu_share: of one core, while nobody asks.
        memory: of our stack after a start that is not its first, in MB by process; `memory_first_mb`: all of it after
            its first start, which makes databases and demo; `memory_after_mb`: after the load.
        starts: seconds of the `first` and the `second` start.
        instances: one of each service against two of each; in a full run.
        remarks: what makes the figures doubtful.
    """

    extent: Extent
    facts: dict[str, Any]
    ours: Subject
    ceilings: dict[str, list[Sample]] = field(default_factory=dict)
    hashers: dict[str, Sample] = field(default_factory=dict)
    best_hasher: str = ""
    installable_hasher: str = ""
    peers: Entrants = field(default_factory=Entrants)
    defaults: Entrants = field(default_factory=Entrants)
    saturated_p95: list[float] = field(default_factory=list)
    idle_cpu_share: float = 0.0
    memory: dict[str, float] = field(default_factory=dict)
    memory_first_mb: float = 0.0
    memory_after_mb: float = 0.0
    starts: dict[str, float] = field(default_factory=dict)
    instances: Compared = field(default_factory=Compared)
    remarks: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def verdicts(self) -> list[Verdict]:
        """Judge every workload."""
        return [
            judge(workload, rounds, self.ceilings, self.peers.equals(workload))
            for workload, rounds in self.ours.rounds.items()
        ]
