"""Check that the stubs are what protoc makes of the .proto files, and that no released message or field was broken.

`make contract` calls it. Breaking changes are measured against the newest release tag, when there is one.
"""

import filecmp
import subprocess
import sys
import tempfile
from pathlib import Path

from generate import HERE, generate


def differing_stubs() -> list[str]:
    """Return the generated files that are missing, superfluous or different."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        generate(fresh)
        made = {path.relative_to(fresh) for path in fresh.rglob("*_pb2*")}
        kept = {
            path.relative_to(HERE) for path in HERE.glob("gatepost/**/*_pb2*.py*") if path.suffix in {".py", ".pyi"}
        }
        odd = made ^ kept
        odd |= {path for path in made & kept if not filecmp.cmp(fresh / path, HERE / path, shallow=False)}
        return sorted(str(path) for path in odd)


def breaking_changes() -> str:
    """Return what buf says against the newest `v*` tag; empty without one."""
    tags = subprocess.run(
        ["git", "-C", str(HERE), "tag", "--list", "v*", "--sort=-v:refname"],
        check=False,
        capture_output=True,
        text=True,
    ).stdout.split()
    if not tags:
        return ""
    buf = Path(sys.executable).with_name("buf")
    against = f"{HERE.parent / '.git'}#tag={tags[0]},subdir=proto"
    done = subprocess.run([buf, "breaking", HERE, "--against", against], check=False, capture_output=True, text=True)
    return done.stdout + done.stderr if done.returncode else ""


if __name__ == "__main__":
    problems = [f"proto/{name}: not what protoc makes; run `make proto`" for name in differing_stubs()]
    broken = breaking_changes()
    print("\n".join([*problems, broken] if broken else problems) or "stubs are current; no breaking change")
    sys.exit(bool(problems or broken))
