"""Runs of pytest on another database. About two seconds."""

from pathlib import Path

import pytest

from .on_database import run_tests

pytestmark = pytest.mark.once  # runs pytest on files of its own

URL = "mongodb://127.0.0.1:1/?directConnection=true"
TEST = """
import os

def test_settings():
    assert os.environ["DATABASE_URL"] == "mongodb://127.0.0.1:1/chat_tests_main?directConnection=true"
    assert os.environ["TEST_DATABASE_URL"] == "mongodb://127.0.0.1:1/chat_tests_{worker}?directConnection=true"
"""


def run(folder: Path, *arguments: str) -> int:
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_environment.py").write_text(TEST)
    return run_tests(URL, ["-c", str(folder / "pytest.ini"), "-p", "no:django", str(folder), *arguments])


def test_run_when_a_url_is_given_then_the_settings_get_its_databases(tmp_path: Path) -> None:
    assert run(tmp_path) == 0


def test_run_when_no_test_is_selected_then_succeeds(tmp_path: Path) -> None:
    assert run(tmp_path, "-k", "nothing") == 0


def test_run_when_a_test_fails_then_returns_its_exit_status(tmp_path: Path) -> None:
    (tmp_path / "test_failing.py").write_text("def test_always_fails():\n    raise AssertionError\n")
    assert run(tmp_path) == 1
