"""Headless Chromium windows for tests of pages. The pages themselves are described beside their tests."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

WAIT_SECONDS = 40
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--window-size=1400,900",
)  # fmt: skip


def start_chromium(chromium: str, chromedriver: str, profile: Path) -> Any:
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))


class Window:
    """A browser window of one user, opened at a URL."""

    def __init__(self, driver: Any, url: str) -> None:
        self.driver = driver
        driver.get(url)

    def leave(self) -> None:
        """Clears cookies, storage and the log, so that the next test finds a new browser."""
        self.driver.execute_script("localStorage.clear(); sessionStorage.clear()")
        self.driver.delete_all_cookies()
        self.driver.get("about:blank")
        self.driver.get_log("browser")

    def until(self, holds: Callable[[], Any], what: str = "") -> Any:
        return WebDriverWait(self.driver, WAIT_SECONDS, poll_frequency=0.1).until(
            lambda driver: holds(), what
        )

    def one(self, css: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def click(self, css: str) -> None:
        """Clicks the element. Finds it again if the page was redrawn between finding and clicking."""
        ignored = [StaleElementReferenceException]
        wait = WebDriverWait(self.driver, WAIT_SECONDS, poll_frequency=0.1, ignored_exceptions=ignored)
        wait.until(lambda driver: self.one(css).click() or True, css)

    def fill(self, form: str, button: str = "button", **fields: str) -> None:
        """Fills the fields of the form (by name) and clicks its button."""
        for name, text in fields.items():
            field = self.one(f"#{form} [name={name}]")
            field.clear()
            field.send_keys(text)
        self.click(f"#{form} {button}")

    def text(self, css: str) -> str:
        return str(self.driver.execute_script("return document.querySelector(arguments[0]).innerText", css))

    def texts(self, css: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText)"
        return list(self.driver.execute_script(script, css))

    def complaints(self) -> list[str]:
        """The errors in the browser's log: CSP violations, missing files, exceptions."""
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] == "SEVERE" and "WebSocket connection" not in entry["message"]
        ]

    def picture(self, name: str) -> None:
        """Saves a screenshot in the directory that SCREENSHOTS names, if it is set."""
        if folder := os.environ.get("SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.driver.save_screenshot(f"{folder}/{name}.png")
