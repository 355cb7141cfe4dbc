"""The report's picture: CPU time of one operation, ours beside the limit and the peers. Plain SVG, logarithmic."""

from collections.abc import Iterable, Sequence
from html import escape
from math import ceil, floor, log10
from statistics import median

from bench.goals import GOALS
from bench.results import Results
from bench.verdict import Verdict

_COLOURS = {"limit": "#b8b8b8", "gatepost": "#0b57d0"}
_PEER_COLOURS = ("#e8710a", "#188038", "#9334e6", "#c5221f", "#12858d", "#8a6d00")
_WIDTH, _LEFT, _RIGHT, _BAR, _GAP, _TOP = 960, 130, 60, 11, 16, 50


def draw(results: Results, verdicts: Sequence[Verdict]) -> str:
    """Return the picture as an SVG document."""
    colours = _COLOURS | dict(zip(results.peers.subjects, _PEER_COLOURS, strict=False))
    groups = [(verdict.workload, _bars(results, verdict)) for verdict in verdicts]
    values = [value for _, bars in groups for value in bars.values()]
    low, high = floor(log10(min(values))), ceil(log10(max(values)))
    scale = (_WIDTH - _LEFT - _RIGHT) / (high - low)
    body: list[str] = []
    y = _TOP
    for workload, bars in groups:
        body.append(_text(_LEFT - 8, y + _BAR * len(bars) / 2 + 4, workload, "end", bold=True))
        for name, value in bars.items():
            length = max((log10(value) - low) * scale, 1)
            body.append(f'<rect x="{_LEFT}" y="{y}" width="{length:.1f}" height="{_BAR - 1}" fill="{colours[name]}"/>')
            body.append(_text(_LEFT + length + 4, y + _BAR - 2, f"{value:,.0f}", "start", size=9))
            y += _BAR
        y += _GAP
    body = [*_axis(low, high, scale, y), *body, *_legend(colours)]
    frame = f'viewBox="0 0 {_WIDTH} {y + 24}" font-family="sans-serif" font-size="11"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {frame}>'
    title = "<title>CPU µs of one operation, less is better</title>"
    ground = f'<rect width="{_WIDTH}" height="{y + 24}" fill="#ffffff"/>'
    return "\n".join([head, title, ground, *body, "</svg>"]) + "\n"


def _bars(results: Results, verdict: Verdict) -> dict[str, float]:
    goal, bars = GOALS.get(verdict.workload), {}
    if goal and goal.hashes and results.ceilings.get("hash"):
        bars["limit"] = median(sample.cpu_us for sample in results.ceilings["hash"])
    elif verdict.limit:
        bars["limit"] = verdict.limit
    bars["gatepost"] = verdict.cpu_us.value
    for name, rounds in results.peers.rounds(verdict.workload).items():
        bars[name] = median(found.cpu_us for found in rounds)
    return {name: value for name, value in bars.items() if value > 0}


def _axis(low: int, high: int, scale: float, bottom: float) -> Iterable[str]:
    for power in range(low, high + 1):
        x = _LEFT + (power - low) * scale
        yield f'<line x1="{x:.1f}" y1="{_TOP - 6}" x2="{x:.1f}" y2="{bottom}" stroke="#dddddd"/>'
        yield _text(x, bottom + 14, f"{10**power:,} µs", "middle")


def _legend(colours: dict[str, str]) -> Iterable[str]:
    x = _LEFT
    for name, colour in colours.items():
        yield f'<rect x="{x}" y="14" width="10" height="10" fill="{colour}"/>'
        yield _text(x + 14, 23, name, "start")
        x += 28 + 7 * len(name)


def _text(x: float, y: float, text: str, anchor: str, *, size: int = 11, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"{weight}>{escape(text)}</text>'
