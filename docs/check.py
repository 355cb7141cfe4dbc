"""Check the pages: links and paths lead somewhere, generated tables are current, every dialect has its page."""

import re
import sys
from collections.abc import Iterator

from gateway.dialects import DIALECTS
from generate import DOCS, render

ROOT = DOCS.parent
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_FOLDERS = "gateway|auth-service|user-service|notify-service|all-in-one|proto|runtime|cli|deploy|tests|bench|docs"
_PATH = re.compile(rf"`((?:{_FOLDERS})/[\w./-]*)`")


def problems() -> Iterator[str]:
    """Say what is wrong, one line each."""
    pages = [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "deploy").glob("*.md")]
    for page in sorted(pages):
        name = page.relative_to(ROOT)
        text = page.read_text(encoding="utf-8")
        for target in _LINK.findall(text):
            if "://" not in target and not (page.parent / target).exists():
                yield f"{name}: dead link {target}"
        for path in _PATH.findall(text):
            if not (ROOT / path).exists():
                yield f"{name}: there is no {path}"
        if render(text) != text:
            yield f"{name}: a generated table is out of date; run `make docs-write`"
    for dialect in DIALECTS:
        if not (DOCS / "dialects" / f"{dialect.name}.md").exists():
            yield f"docs/dialects/{dialect.name}.md is missing"


if __name__ == "__main__":
    found = list(problems())
    print("\n".join(found) or "docs are true")
    sys.exit(bool(found))
