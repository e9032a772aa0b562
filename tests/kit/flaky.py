"""A pytest plugin that reruns each failed test once, alone, and prints `FLAKY <nodeid>` if it passes then.

Only `.ci/run` loads it, so a flaky test fails on a developer's machine. A run succeeds if every failed test passes
the second time.
"""

import os
import subprocess
import sys
from typing import Any

import pytest

PLUGINS = "PYTEST_PLUGINS"
# More failures than this have a common cause, which is not chance.
MAX_RERUNS = 10


def pytest_configure(config: pytest.Config) -> None:
    # Only in the controller: the workers of pytest-xdist report to it.
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Reruns(config), "reruns")


class Reruns:
    """Collects failed tests, reruns them when the session ends, and reports the flaky ones."""

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
        """Names the flaky tests, and counts them as flaky instead of failed in the last line of pytest."""
        stats: dict[str, list[Any]] = terminalreporter.stats
        for outcome in ("failed", "error"):
            for report in stats.pop(outcome, []):
                stats.setdefault("flaky" if report.nodeid in self._flaky else outcome, []).append(report)
        for nodeid in self._flaky:
            terminalreporter.write_line(f"FLAKY {nodeid}")

    def _passes(self, nodeid: str) -> bool:
        command = [sys.executable, "-m", "pytest", "-c", str(self._config.inipath)]
        command += ["--rootdir", str(self._config.rootpath), str(self._config.rootpath / nodeid)]
        env = {name: value for name, value in os.environ.items() if name != PLUGINS}
        return subprocess.run(command, env=env, check=False, stdout=subprocess.DEVNULL).returncode == 0
