"""The files of deploy/ for the tests: where they are, the Dockerfile by stages, podman-compose on a copy of them."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SERVICES = ("gateway", "auth-service", "user-service", "notify-service")
COMMAND_SECONDS = 60

Compose = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """One stage of the Dockerfile: what it starts from, and its instructions with their arguments."""

    source: str
    instructions: tuple[tuple[str, str], ...]

    def arguments(self, instruction: str) -> list[str]:
        """Return the arguments of every use of an instruction."""
        return [arguments for name, arguments in self.instructions if name == instruction]


def dockerfile_stages() -> dict[str, Stage]:
    """Read the stages of the Dockerfile by name, each with the instructions of the stages it starts from first."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    found: dict[str, Stage] = {}
    name = ""
    for line in text.splitlines():
        instruction, _, arguments = line.strip().partition(" ")
        if not instruction or instruction.startswith("#"):
            continue
        if instruction == "FROM":
            source, _, name = arguments.partition(" AS ")
            found[name] = found.get(source, Stage(source, ()))
        elif name:
            stage = found[name]
            found[name] = Stage(stage.source, (*stage.instructions, (instruction, arguments.strip())))
    return found


def podman_compose(deployment: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run podman-compose on a copy of deploy/. It asks podman for its version first; podman itself need not be here."""
    podman = deployment.parent / "podman"
    podman.write_text("#!/bin/sh\necho 'podman version 5.4.2'\n", encoding="utf-8")
    podman.chmod(0o755)
    program = [str(Path(sys.executable).with_name("podman-compose")), "--podman-path", str(podman)]
    return subprocess.run(
        [*program, "--file", str(deployment / "compose.yaml"), *command],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_SECONDS,
    )
