"""The files of a deployment agree with the settings that the code reads."""

import re
import subprocess
import sys

import pytest
import yaml

from chatproject.settings import env
from tests.kit.paths import ROOT
from tests.kit.servers import ChatServer

pytestmark = pytest.mark.once  # files

# Variables that docker compose itself fills in and passes to MongoDB and Redis.
COMPOSE_ONLY = {"MONGO_PASSWORD", "REDIS_PASSWORD", "MONGO_KEY", "PUBLIC_HOST", "PUBLIC_PORT"}


def test_env_example_when_read_then_names_only_known_settings() -> None:
    named = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M))
    assert named - COMPOSE_ONLY <= env.names()
    compose = (ROOT / "docker-compose.yml").read_text()
    assert set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", compose)) <= named


def test_compose_when_read_then_what_must_last_is_on_volumes() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    owned = re.search(r"chown chat (.*)", (ROOT / "Dockerfile").read_text())
    assert owned is not None
    for name in ("app", "migrate"):
        service = compose["services"][name]
        mounts = dict(volume.split(":")[::-1] for volume in service["volumes"])
        assert service["read_only"]
        for folder in ("/data", service["environment"]["ARCHIVE_DIR"], "/backups"):
            assert mounts[folder] in compose["volumes"], folder
            assert folder not in service["tmpfs"]
            # A new volume gets the owner of the image's folder.
            assert folder in owned[1].split()


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
