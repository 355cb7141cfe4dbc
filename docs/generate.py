"""The tables that are made from code: settings, reasons, and each dialect's errors. `make docs-write` writes them.

`check.py` compares instead. A table stands between `<!-- generated: NAME -->` and `<!-- /generated -->`.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from auth_service.settings import AuthSettings
from gateway.dialects import DIALECTS
from gateway.settings import GatewaySettings
from notify_service.settings import NotifySettings
from runtime.errors import STATUS, Reason
from runtime.settings import SharedSettings
from user_service.settings import UserSettings

DOCS = Path(__file__).resolve().parent
_BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- /generated -->)", re.DOTALL)
_SERVICES: Mapping[str, type[SharedSettings]] = {
    "gateway": GatewaySettings,
    "auth": AuthSettings,
    "users": UserSettings,
    "notify": NotifySettings,
}


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return f"`{value}`" if value not in (None, "", ()) else ""


def settings() -> str:
    """Every setting once, with the services that read it."""
    found: dict[str, tuple[list[str], Any]] = {}
    for service, kind in _SERVICES.items():
        for name, field in kind.model_fields.items():
            readers, _ = found.setdefault(name, ([], field))
            readers.append(service)
    rows = []
    for name, (readers, field) in sorted(found.items()):
        who = "all" if len(readers) == len(_SERVICES) else ", ".join(readers)
        described = str(field.description).replace("|", "\\|")
        rows.append([f"`GATEPOST_{name.upper()}`", _default(field.default), who, described])
    return _table(["Setting", "Default", "Read by", "Meaning"], rows)


def reasons() -> str:
    """The closed list of reasons with their gRPC status."""
    return _table(["Reason", "gRPC status"], ([f"`{reason.value}`", f"`{STATUS[reason].name}`"] for reason in Reason))


def _dialect_errors(name: str) -> Callable[[], str]:
    def make() -> str:
        dialect = next(dialect for dialect in DIALECTS if dialect.name == name)
        rows = ([f"`{r.value}`", str(e.status), e.code and f"`{e.code}`", e.text] for r, e in dialect.errors.items())
        return _table(["Reason", "HTTP", "Code", "Text"], rows)

    return make


TABLES: Mapping[str, Callable[[], str]] = {
    "settings": settings,
    "reasons": reasons,
    **{dialect.name: _dialect_errors(dialect.name) for dialect in DIALECTS},
}


def render(text: str) -> str:
    """Return a page's text with its tables made anew."""
    return _BLOCK.sub(lambda block: f"{block[1]}{TABLES[block[2]]()}{block[3]}", text)


if __name__ == "__main__":
    for page in sorted(DOCS.rglob("*.md")):
        before = page.read_text(encoding="utf-8")
        after = render(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            print(f"wrote {page.relative_to(DOCS.parent)}")
    sys.exit(0)
