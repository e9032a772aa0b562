"""The blocks of docs/recipes.md print what the page shows. About fifteen seconds."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.kit.blocks import blocks, check_output, need, run
from tests.kit.servers import ChatServer

MARK = "=== next recipe"


def recipes(language: str, server: ChatServer) -> list[tuple[str, str]]:
    """The blocks of a language in their order, each with its expected output."""
    here = f"127.0.0.1:{server.port}"
    return [(code.replace("localhost:8000", here), shown) for code, shown in blocks("recipes.md", language)]


@pytest.fixture(scope="module")
def people() -> Iterator[ChatServer]:
    """A server after the curl recipes, with the accounts of Alice and Bob."""
    need("bash", "curl", "jq")
    chat_server = ChatServer(own_database=True)
    try:
        chat_server.start()
        curl = recipes("bash", chat_server)
        script = "set -euo pipefail\n" + f"echo '{MARK}'\n".join(code for code, _ in curl)
        printed = run("bash", "-c", script).split(MARK)
        chat_server.printed = [  # type: ignore[attr-defined]
            (output, shown) for output, (_, shown) in zip(printed, curl, strict=True)
        ]
        yield chat_server
    finally:
        chat_server.stop()


def test_curl_recipes_when_run_in_one_shell_then_print_what_is_shown(people: Any) -> None:
    assert len(people.printed) > 10
    for output, shown in people.printed:
        check_output(output, shown)


def test_python_recipes_when_run_then_print_what_is_shown(people: ChatServer) -> None:
    for code, shown in recipes("python", people):
        check_output(run(sys.executable, "-c", code), shown)


def test_javascript_recipes_when_run_then_print_what_is_shown(
    people: ChatServer, node: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    version = int(node("--version").stdout[1:].partition(".")[0])
    websocket = ["--experimental-websocket"] if version < 22 else []
    for code, shown in recipes("js", people):
        check_output(node(*websocket, "--input-type=module", "--eval", code).stdout, shown)


def test_websocat_recipes_when_run_then_print_what_is_shown(people: ChatServer) -> None:
    need("websocat")
    for code, shown in recipes("websocat", people):
        check_output(run("bash", "-c", code), shown)
