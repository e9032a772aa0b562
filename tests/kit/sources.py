"""The Python files of the project, for tests that compare sources with declarations."""

import os
from functools import cache
from pathlib import Path

from .paths import ROOT

SERVER = (
    "foundation", "realtime", "api", "accounts", "rooms", "messaging", "presence", "moderation", "operations",
    "console", "chatproject",
)  # fmt: skip
NOT_OURS = {"node_modules", "__pycache__", "staticfiles"}


@cache
def project_modules() -> tuple[Path, ...]:
    """All Python files of the project, without what is installed into it."""
    found = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in NOT_OURS and not name.startswith(".")]
        found += [Path(folder) / name for name in files if name.endswith(".py")]
    return tuple(sorted(found))


def server_modules() -> list[Path]:
    """The code that a server or a command runs: no tests, no migrations."""
    return [
        path
        for path in project_modules()
        if path.relative_to(ROOT).parts[0] in SERVER and not {"tests", "migrations"} & set(path.parts)
    ]


def modules_of_tests() -> list[Path]:
    return [path for path in project_modules() if path.name.startswith("test_")]
