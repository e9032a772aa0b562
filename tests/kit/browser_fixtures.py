"""Fixtures for tests that drive pages in a browser."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.browser import Window, start_chromium


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], Any]]:
    """Returns the n-th Chromium of the module, each with its own profile. A start takes seconds, so tests share."""
    binary, driver_binary = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver_binary is None:
        pytest.skip("chromium and chromedriver are not installed (Debian: chromium, chromium-driver)")
    drivers: list[Any] = []

    def get(number: int) -> Any:
        if number == len(drivers):
            profile: Path = tmp_path_factory.mktemp("chromium")
            drivers.append(start_chromium(binary, driver_binary, profile))
        return drivers[number]

    yield get
    for driver in drivers:
        driver.quit()


@pytest.fixture
def open_window(chromium: Callable[[int], Any]) -> Iterator[Callable[..., Window]]:
    """Opens windows at a URL, each for one user. Nothing of them is left for the next test."""
    windows: list[Window] = []

    def open_(url: str, kind: type[Window] = Window) -> Window:
        windows.append(kind(chromium(len(windows)), url))
        return windows[-1]

    yield open_
    for window in windows:
        window.leave()
