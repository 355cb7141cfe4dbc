"""The report as Markdown: one page, most telling tables first. Called by `report`."""

from collections.abc import Iterable, Sequence
from statistics import median

from bench import goals
from bench.goals import GOALS
from bench.instances import SERVICES, share
from bench.results import Entrants, Results
from bench.rounds import Round, Subject
from bench.verdict import Figure, Verdict

_HEAD = (
    *("workload", "ratio to limit", "goal", "ratio to best peer", "goal", "CPU µs", "limit"),
    *("per s", "p50 ms", "p99 ms", "errors"),
)


def lines(results: Results, verdicts: Sequence[Verdict], missed: Sequence[str], picture: str) -> Iterable[str]:
    """Yield the page's lines; `picture` is the file name of the picture beside it."""
    yield f"# Measured: {results.extent.name}\n"
    yield from _about(results)
    yield from (f"**Doubtful:** {remark}\n" for remark in results.remarks)
    yield f"![CPU time of one operation]({picture})\n\n## Workloads\n"
    yield from _table(_HEAD, (_workload_row(verdict, results.ours.rounds[verdict.workload]) for verdict in verdicts))
    yield "\nIn brackets: least and most of the rounds. The limit of the two that hash is hashes per second, of the"
    yield "others CPU µs.\n"
    yield from _installable(results, verdicts)
    yield "\n## Goals missed by more than the noise\n"
    yield from ([f"- {miss}" for miss in missed] or ["none"])
    yield "\n## Where our CPU time goes, µs of one operation\n"
    yield from _split(results.ours)
    yield from _ceilings(results)
    yield "\n## Peers, hashing as we do: CPU µs of one operation (per s)\n"
    yield from _peers(results.peers)
    if results.defaults.subjects:
        yield "\n## Peers, each with the password hash it has by itself\n"
        yield from _peers(results.defaults)
    yield from _small_and_quick(results)
    if results.instances.two:
        yield from _instances(results)


def _about(results: Results) -> Iterable[str]:
    facts, extent = results.facts, results.extent
    generator = facts["generator"] or "autocannon"
    yield f"- {facts['processor']}, {facts['cores']} cores, {facts['memory_mb']} MB; {facts['system']}"
    yield f"- {facts['python']}, interpreter {facts['interpreter']}"
    yield f"- {extent.rounds} interleaved rounds of {extent.seconds:g} s, {extent.users} users, {extent.tokens} tokens"
    yield f"- load from {generator}, on the same cores, not counted; {results.seconds:.0f} s in all"
    yield "- CPU time is that of all processes of a stack, PostgreSQL and Valkey included\n"


def _ceilings(results: Results) -> Iterable[str]:
    yield "\n## Ceilings\n"
    yield from _table(
        ("part", "CPU µs", "per s"),
        (
            (part, f"{median(s.cpu_us for s in found):.1f}", f"{median(s.per_second for s in found):.0f}")
            for part, found in results.ceilings.items()
        ),
    )
    yield f"\nHashers in one comparison; the limit is the best, {results.best_hasher}:\n"
    yield from _table(
        ("hasher", "ms of CPU", "per s"),
        ((name, f"{s.cpu_us / 1000:.1f}", f"{s.per_second:.1f}") for name, s in results.hashers.items()),
    )


def _installable(results: Results, verdicts: Sequence[Verdict]) -> Iterable[str]:
    """Yield how the workloads that hash stand to what can be had without a compiler, where that is not the limit."""
    if results.installable_hasher == results.best_hasher:
        return
    limit = median(s.per_second for s in results.ceilings["hash_installable"])
    ratios = ", ".join(f"{v.workload} {_shown(v.installable)}" for v in verdicts if v.installable)
    yield f"That limit is {results.best_hasher}."
    yield f"The best that registries offer ready-made is {results.installable_hasher}, {limit:.0f} per s."
    yield f"Ratio to it: {ratios}."


def _small_and_quick(results: Results) -> Iterable[str]:
    yield "\n## Small and quick\n"
    yield from _table(
        ("", "measured", "goal"),
        (
            ("idle memory (PSS), MB", f"{sum(results.memory.values()):.0f}", f"{goals.IDLE_MEMORY_MB:.0f}"),
            ("after the first start, which makes databases and demo, MB", f"{results.memory_first_mb:.0f}", ""),
            ("memory after the load, MB", f"{results.memory_after_mb:.0f}", ""),
            ("idle CPU, % of a core", f"{results.idle_cpu_share * 100:.2f}", f"{goals.IDLE_CPU_SHARE * 100:g}"),
            ("first start, s", f"{results.starts['first']:.1f}", ""),
            ("second start, s", f"{results.starts['second']:.1f}", f"{goals.SECOND_START_SECONDS:g}"),
            ("p95 of cheap calls while hashing, ms", f"{median(results.saturated_p95):.1f}", f"{goals.CHEAP_P95_MS:g}"),
        ),
    )
    yield "\nIdle memory by process: " + ", ".join(f"{name} {value:.0f} MB" for name, value in results.memory.items())


def _instances(results: Results) -> Iterable[str]:
    one, two = results.instances.one, results.instances.two
    yield "\n## Two gateways, two auth-services, two user-services against one of each\n"
    yield from _table(
        ("workload", "CPU µs, one", "CPU µs, two", "ratio", *(f"share of the less busy {name}" for name in SERVICES)),
        (
            (
                name,
                f"{(alone := median(r.cpu_us for r in one[name])):.0f}",
                f"{(both := median(r.cpu_us for r in rounds)):.0f}",
                f"{both / alone:.2f}",
                *(f"{share(rounds, service):.0%}" for service in SERVICES),
            )
            for name, rounds in two.items()
        ),
    )
    yield "\nTwice as many callers ask two. Where one of each keeps all cores busy two answer no more requests; on idle"
    yield f"cores they would, twice as many divided by the ratio. Cores here: {results.facts['cores']}."


def _workload_row(verdict: Verdict, rounds: Sequence[Round]) -> tuple[str, ...]:
    goal = GOALS.get(verdict.workload)
    return (
        f"{verdict.workload}: {goal.title}" if goal else verdict.workload,
        _shown(verdict.ratio),
        f"{goal.ratio}" if goal else "",
        f"{_shown(verdict.peer_ratio)} {verdict.peer}" if verdict.peer_ratio else "-",
        f"{goal.peers}" if goal and verdict.peer_ratio else "",
        f"{verdict.cpu_us.value:.0f}",
        f"{verdict.limit:.0f}" if verdict.limit else "-",
        f"{median(r.per_second for r in rounds):.0f}",
        f"{median(r.p50 for r in rounds):.1f}",
        f"{median(r.p99 for r in rounds):.1f}",
        f"{verdict.errors}",
    )


def _shown(figure: Figure | None) -> str:
    return f"{figure.value:.2f} ({figure.low:.2f}-{figure.high:.2f})" if figure else "-"


def _split(subject: Subject) -> Iterable[str]:
    names = list(subject.group.pids)
    yield from _table(
        ("workload", *names),
        (
            (workload, *(f"{median(r.split.get(name, 0) for r in rounds):.0f}" for name in names))
            for workload, rounds in subject.rounds.items()
        ),
    )


def _peers(entrants: Entrants) -> Iterable[str]:
    workloads = [name for name in GOALS if entrants.rounds(name)]
    rows = []
    for name, subject in entrants.subjects.items():
        if not subject.rounds:
            continue
        cells = [_peer_cell(entrants.rounds(workload).get(name)) for workload in workloads]
        about = entrants.described[name]
        rows.append((name, *cells, f"{about['memory_mb']:.0f}", f"{about['start_seconds']}"))
    yield from _table(("peer", *workloads, "MB idle", "start s"), rows)
    yield ""
    for name, about in entrants.described.items():
        versions = ", ".join(f"{package} {version}" for package, version in about["versions"].items())
        yield f"- {name} ({versions}): {about['settings']}"
        for workload, why in entrants.unequal[name].items():
            yield f"  - {workload} is not compared: {why}"
    for name, why in entrants.missing.items():
        yield f"- **{name} is missing:** {' '.join(why.split())}"


def _peer_cell(rounds: Sequence[Round] | None) -> str:
    if not rounds:
        return ""
    errors = sum(found.errors for found in rounds)
    wrong = f", **{errors} errors**" if errors else ""
    return f"{median(r.cpu_us for r in rounds):.0f} ({median(r.per_second for r in rounds):.0f}){wrong}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
