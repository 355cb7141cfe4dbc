"""From method and path to route: one look-up for a known path; an unknown one belongs to the longest prefix.

`main` builds the table from all dialects; `app` asks it. Clashes stop the start.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from gateway.dialect import Dialect, Route

_MOUNT = "/t/"
_NO_SEGMENTS: Mapping[str, str] = {}


class Match(NamedTuple):
    """Where a request belongs.

    Attributes:
        dialect: Answers, if only with an error.
        route: None if the path is unknown or does not take the method.
        allow: Methods the path takes; empty if it is unknown.
        segments: Parts of the path that the route names.
        mount: Project of the prefix `/t/{project}`, empty without.
    """

    dialect: Dialect
    route: Route | None
    allow: tuple[str, ...] = ()
    segments: Mapping[str, str] = _NO_SEGMENTS
    mount: str = ""


@dataclass(frozen=True, slots=True)
class _Path:
    dialect: Dialect
    allow: tuple[str, ...]
    matches: Mapping[str, Match]
    otherwise: Match


class RouteTable:
    """All routes of all dialects.

    Args:
        dialects: One of them owns the prefix `/`.

    Raises:
        ValueError: Two dialects claim the same path or prefix, a route lies outside its dialect's prefixes, or
            nobody owns `/`.
    """

    def __init__(self, dialects: Iterable[Dialect]) -> None:
        self._prefixes: list[tuple[re.Pattern[str], Dialect]] = []
        self._paths: dict[str, _Path] = {}
        self._patterns: dict[int, list[tuple[tuple[str, ...], _Path]]] = {}
        every = tuple(dialects)
        claims = [(prefix, dialect) for dialect in every for prefix in dialect.prefixes]
        if len({prefix for prefix, _ in claims}) != len(claims) or "/" not in {prefix for prefix, _ in claims}:
            raise ValueError("every prefix has one owner, and so does /")
        for prefix, dialect in sorted(claims, key=lambda claim: _specificity(claim[0]), reverse=True):
            self._prefixes.append((_compile(prefix), dialect))
        for dialect in every:
            self._add(dialect)

    def find(self, method: str, path: str) -> Match:
        """Find who answers; the path is as sent, without query. One trailing slash is overlooked."""
        if len(path) > 1 and path[-1] == "/":
            path = path[:-1]
        known = self._paths.get(path)
        if known is not None:
            return known.matches.get(method, known.otherwise)
        if path.startswith(_MOUNT):
            mounted = self._find_mounted(method, path)
            if mounted is not None:
                return mounted
        return self._find_pattern(method, path) or Match(self._owner(path), None)

    def _find_mounted(self, method: str, path: str) -> Match | None:
        project, slash, rest = path.removeprefix(_MOUNT).partition("/")
        if not project or not slash or rest.startswith(_MOUNT[1:]):
            return None
        match = self.find(method, f"/{rest}")
        return match._replace(mount=project) if match.dialect.mountable else None

    def _find_pattern(self, method: str, path: str) -> Match | None:
        if not path.isascii():
            return None
        parts = path.split("/")
        for pattern, known in self._patterns.get(len(parts), ()):
            segments = {}
            for wanted, part in zip(pattern, parts, strict=True):
                if wanted.startswith("{"):
                    segments[wanted[1:-1]] = part
                elif wanted != part:
                    break
            else:
                return known.matches.get(method, known.otherwise)._replace(segments=segments)
        return None

    def _owner(self, path: str) -> Dialect:
        return next(dialect for prefix, dialect in self._prefixes if prefix.match(path))

    def _add(self, dialect: Dialect) -> None:
        by_path: dict[str, list[Route]] = {}
        for route in dialect.routes:
            by_path.setdefault(route.path, []).append(route)
        for path, routes in by_path.items():
            if path in self._paths or self._owner(path) is not dialect:
                raise ValueError(f"{path} is not {dialect.name}'s to answer")
            known = _gather(dialect, routes)
            if "{" in path:
                parts = tuple(path.split("/"))
                self._patterns.setdefault(len(parts), []).append((parts, known))
            else:
                self._paths[path] = known


def _gather(dialect: Dialect, routes: list[Route]) -> _Path:
    methods = [(method, route) for route in routes for method in route.methods.split()]
    allow = tuple(method for method, _ in methods)
    if len(set(allow)) != len(allow):
        raise ValueError(f"{routes[0].path} has two routes for one method")
    matches = {method: Match(dialect, route, allow) for method, route in methods}
    return _Path(dialect, allow, matches, Match(dialect, None, allow))


def _compile(prefix: str) -> re.Pattern[str]:
    if prefix == "/":
        return re.compile("")  # `OPTIONS *` too
    return re.compile("[^/]*".join(map(re.escape, prefix.split("*"))) + "(?=/|$)")


def _specificity(prefix: str) -> tuple[int, int]:
    stripped = prefix.rstrip("/")
    return stripped.count("/"), len(stripped.replace("*", ""))
