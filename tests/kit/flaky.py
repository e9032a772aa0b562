"""A pytest plugin that runs each failed test once more, alone, and names those that then pass: `FLAKY <nodeid>`.

Only `.ci/run` loads it. A run whose failed tests all pass the second time succeeds.
"""

import os
import subprocess
import sys
from typing import Any

import pytest

PLUGINS = "PYTEST_PLUGINS"
MAX_RERUNS = 10  # more failures than that have one cause, and it is no chance


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # the processes of pytest-xdist report to the one that starts them
        config.pluginmanager.register(Reruns(config), "reruns")


class Reruns:
    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._failed: dict[str, None] = {}
        self._flaky: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed[report.nodeid] = None

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if session.exitstatus != pytest.ExitCode.TESTS_FAILED or len(self._failed) > MAX_RERUNS:
            return
        self._flaky = [nodeid for nodeid in self._failed if self._passes(nodeid)]
        if len(self._flaky) == len(self._failed):
            session.exitstatus = pytest.ExitCode.OK

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for nodeid in self._flaky:
            terminalreporter.write_line(f"FLAKY {nodeid}")

    def _passes(self, nodeid: str) -> bool:
        command = [sys.executable, "-m", "pytest", "-c", str(self._config.inipath)]
        command += ["--rootdir", str(self._config.rootpath), str(self._config.rootpath / nodeid)]
        env = {name: value for name, value in os.environ.items() if name != PLUGINS}
        return subprocess.run(command, env=env, check=False, stdout=subprocess.DEVNULL).returncode == 0
