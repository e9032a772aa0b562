"""The files of a deployment agree with the settings that the code reads."""

import re
import subprocess
import sys

import pytest

from tests.kit.paths import ROOT
from tests.kit.servers import ChatServer

pytestmark = pytest.mark.once  # files

READ = re.compile(r'(?:env\.\w+|\b(?:whole|seconds|rate|parsed))\(\s*"([A-Z][A-Z_]+)"')
# What docker compose itself fills in, and hands on to MongoDB and Redis.
COMPOSE_ONLY = {"MONGO_PASSWORD", "REDIS_PASSWORD", "MONGO_KEY", "PUBLIC_HOST", "PUBLIC_PORT"}


def variables() -> set[str]:
    return set(READ.findall((ROOT / "chatproject/settings.py").read_text()))


def test_configuration_page_when_compared_with_settings_then_lists_every_variable_and_no_other() -> None:
    rows = re.findall(r"^\| (`[A-Z].*?) \|", (ROOT / "docs/configuration.md").read_text(), re.M)
    listed = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}
    assert listed == variables()


def test_configuration_page_when_it_shows_a_default_then_that_is_the_codes() -> None:
    text = (ROOT / "chatproject/settings.py").read_text()
    found = re.findall(r'(?:whole|rate|seconds)\("([A-Z_]+)", ("[^"]+"|[\d.* ]+)\)', text)
    page = (ROOT / "docs/configuration.md").read_text()
    for name, default in found:
        shown = re.search(rf"^\| `{name}` \| `([^`]+)` \|", page, re.M)
        assert shown, name
        if default.startswith('"'):
            assert shown[1] == default.strip('"'), name
        else:
            product = 1.0
            for factor in default.split("*"):
                product *= float(factor)
            assert float(shown[1]) == product, name


def test_env_example_when_compared_with_settings_then_names_only_what_is_read() -> None:
    named = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M))
    assert named - COMPOSE_ONLY <= variables()
    compose = (ROOT / "docker-compose.yml").read_text()
    assert set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", compose)) <= named


def test_image_when_built_then_is_not_root_and_has_a_health_check() -> None:
    steps = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^USER (?!root)", steps, re.M)
    assert "HEALTHCHECK" in steps
    locked = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line[:1].isalpha()]
    assert all("==" in line for line in locked)


def test_probe_when_run_then_its_status_is_that_of_the_server(server: ChatServer) -> None:
    def probe(path: str, port: int) -> int:
        env = {**server.env, "PORT": str(port)}
        command = [sys.executable, "deploy/probe.py", path]
        return subprocess.run(command, env=env, cwd=ROOT, check=False, timeout=30).returncode

    assert probe("/healthz", server.port) == 0
    assert probe("/readyz", server.port) == 0
    assert probe("/no-such-page", server.port) == 1
    assert probe("/healthz", 1) == 1
