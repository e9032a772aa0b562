"""The reruns of failed tests in CI. About three seconds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .flaky import PLUGINS
from .paths import ROOT

pytestmark = pytest.mark.once  # runs pytest on files of its own

ONCE = """
from pathlib import Path

def test_first_time_fails():
    seen = Path(__file__).with_name("seen")
    again = seen.exists()
    seen.touch()
    assert again
"""
ALWAYS = "def test_always_fails():\n    raise AssertionError\n"


def run(folder: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    (folder / "pytest.ini").write_text("[pytest]\n")
    for number, code in enumerate(tests):
        (folder / f"test_{number}.py").write_text(code)
    command = [sys.executable, "-m", "pytest", "-c", str(folder / "pytest.ini"), "-p", "no:django", "-n", "2"]
    env = {**os.environ, PLUGINS: "tests.kit.flaky"}
    return subprocess.run(
        [*command, str(folder)], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )


def test_run_when_a_failed_test_passes_then_succeeds_and_names_it(tmp_path: Path) -> None:
    done = run(tmp_path, ONCE)
    assert done.returncode == 0, done.stdout
    assert "FLAKY test_0.py::test_first_time_fails" in done.stdout
    assert " 1 flaky in " in done.stdout.splitlines()[-1]


def test_run_when_a_test_fails_twice_then_fails_and_names_the_flaky(tmp_path: Path) -> None:
    done = run(tmp_path, ONCE, ALWAYS)
    flaky = [line for line in done.stdout.splitlines() if line.startswith("FLAKY ")]
    assert (done.returncode, flaky) == (1, ["FLAKY test_0.py::test_first_time_fails"]), done.stdout
    assert " 1 failed, 1 flaky in " in done.stdout.splitlines()[-1]
