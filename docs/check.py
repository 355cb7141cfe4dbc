"""Check the pages: links, paths and tests are there, generated tables are current, every dialect has its page."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from gateway.dialects import DIALECTS
from generate import DOCS, render

ROOT = DOCS.parent
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_FOLDERS = "gateway|auth-service|user-service|notify-service|all-in-one|proto|runtime|cli|deploy|tests|bench|docs"
_PATH = re.compile(rf"`((?:{_FOLDERS})/[\w./-]*)`")

_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def problems() -> Iterator[str]:
    """Say what is wrong, one line each."""
    pages = [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "deploy").glob("*.md")]
    for page in sorted(pages):
        for problem in _of(page):
            yield f"{page.relative_to(ROOT)}: {problem}"
    for dialect in DIALECTS:
        if not (DOCS / "dialects" / f"{dialect.name}.md").exists():
            yield f"docs/dialects/{dialect.name}.md is missing"


def _of(page: Path) -> Iterator[str]:
    text = page.read_text(encoding="utf-8")
    for target in _LINK.findall(text):
        if "://" not in target and not (page.parent / target).exists():
            yield f"dead link {target}"
    for path in _PATH.findall(text):
        if not (ROOT / path).exists():
            yield f"there is no {path}"
    for path, test in _TEST.findall(text):
        if not _is_there(ROOT / path, test):
            yield f"there is no test {test} in {path}"
    if render(text) != text:
        yield "a generated table is out of date; run `make docs-write`"


def _is_there(module: Path, test: str) -> bool:
    return module.exists() and f"def {test}(" in module.read_text(encoding="utf-8")


if __name__ == "__main__":
    found = list(problems())
    print("\n".join(found) or "docs are true")
    sys.exit(bool(found))
