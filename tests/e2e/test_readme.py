"""The README's commands, as a newcomer would paste them."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import GatepostStack

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
START_SECONDS = 60


def test_the_walk_from_sign_up_to_profile_works_when_pasted(stack: "GatepostStack") -> None:
    block = re.search(r"<!-- walk -->\n```bash\n(.*?)```\n<!-- /walk -->", README, re.DOTALL)
    assert block is not None

    done = subprocess.run(
        [shutil.which("bash") or "bash", "-euo", "pipefail", "-c", block[1]],
        cwd=ROOT,
        env=stack.environment | {"GATEPOST_DATA_DIR": str(stack.data_dir)},
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["status"] == "success"
    assert answer["user"]["first_name"] == "Wanda"


def test_make_run_starts_everything_and_ctrl_c_ends_it_cleanly(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEPOST_")}
    environment |= {"GATEPOST_DATA_DIR": str(tmp_path / "data"), "GATEPOST_PORT": "0"}
    log = tmp_path / "log"
    with log.open("wb") as output:
        running = subprocess.Popen(
            ["make", "run"], cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while "/outbox" not in log.read_text(encoding="utf-8"):
            assert running.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.05)
        os.killpg(running.pid, signal.SIGINT)  # what a terminal does on Ctrl-C
        running.wait(START_SECONDS)
        assert log.read_text(encoding="utf-8").rstrip().endswith(("stopped", "Interrupt"))
        with pytest.raises(ProcessLookupError):
            os.killpg(running.pid, 0)  # nobody is left
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()


@pytest.mark.parametrize("command", re.findall(r"```console\n\$ (.*?)\n```", README))
def test_every_command_of_the_readme_is_a_target_that_make_knows(command: str) -> None:
    done = subprocess.run(
        [*command.split(), "--dry-run"], cwd=ROOT, capture_output=True, check=False, text=True, timeout=60
    )

    assert done.returncode == 0, done.stderr
