"""`manage.py serve`: what it says, and what a second one on the same port does. Ten seconds."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.processes import free_port
from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer

pytestmark = pytest.mark.once  # no data


def serve(server: ChatServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A start that fails."""
    return server.manage("serve", *arguments, check=False)


def test_serve_when_the_port_is_taken_then_the_first_keeps_its_metrics(
    start_server: Callable[..., ChatServer], redis_server: RedisServer, tmp_path: Path
) -> None:
    first = start_server(WORKERS="2", REDIS_URL=redis_server.url, DATA_DIR=str(tmp_path))
    files = sorted((tmp_path / "metrics" / str(first.port)).iterdir())
    assert files
    second = serve(first, "--port", str(first.port))
    assert second.returncode == 1
    assert second.stderr.strip().endswith(
        f"Cannot listen on 127.0.0.1 port {first.port}: Address already in use."
    )
    assert len(second.stderr.strip().splitlines()) == 1
    assert sorted((tmp_path / "metrics" / str(first.port)).iterdir()) == files
    with first.http() as http:
        assert http.get("/metrics").status_code == 200


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--port", "0"), "--port 0 is not from 1 to 65535."),
        (("--port", "65536"), "--port 65536 is not from 1 to 65535."),
        (("--workers", "0"), "--workers 0 is less than 1."),
        (("--workers", "2"), "needs REDIS_URL"),
        (("--host", "192.0.2.1"), "Cannot assign requested address."),
        (("--host", "no-such-host.invalid"), "Cannot listen on no-such-host.invalid"),
    ],
)  # fmt: skip
def test_serve_when_it_cannot_start_then_says_why_in_one_line(
    server: ChatServer, arguments: tuple[str, ...], said: str
) -> None:
    run = serve(server, "--port", str(free_port()), *arguments)
    assert run.returncode == 1
    assert said in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(("host", "shown"), [("::", "[::1]"), ("0.0.0.0", "127.0.0.1")])
def test_greeting_when_the_host_is_no_name_then_can_be_opened(
    start_server: Callable[..., ChatServer], host: str, shown: str
) -> None:
    server = start_server(HOST=host)
    greeting = server.log.read_text()
    assert f"Chat backend on http://{shown}:{server.port}\n" in greeting
    assert f"ws://{shown}:{server.port}/ws/chat/" in greeting
