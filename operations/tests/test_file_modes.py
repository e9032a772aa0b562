"""What the processes make is for their own user, whatever their umask was; a check names older files."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from django.core.checks import CheckMessage
from django.test import override_settings

from operations.file_modes import file_modes
from tests.kit.paths import ROOT
from tests.kit.processes import Process, free_port
from tests.kit.redis_servers import RedisServer
from tests.kit.users import PASSWORD

pytestmark = pytest.mark.once  # SQLite's file

UMASK = 0o022


def modes(folder: Path) -> dict[str, int]:
    paths = [folder, *folder.rglob("*")]
    return {str(path.relative_to(folder)): path.stat().st_mode & 0o7777 for path in paths}


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Of a new installation, with a key that is made in DATA_DIR."""
    places = {
        "DATA_DIR": str(folder / "data"),
        "LOG_DIR": str(folder / "logs"),
        "DEBUG": "on",
        "DATABASE_URL": "",
    }
    given = {name: value for name, value in os.environ.items() if name != "SECRET_KEY"}
    return {**given, **places, "PASSWORD_MEMORY_KIB": "1024", **more}


def manage(env: dict[str, str], *arguments: str) -> None:
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=env, umask=UMASK, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_when_made_by_the_processes_then_only_their_user_may_read(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    folder = tmp_path / "chat"
    folder.mkdir(mode=0o700)
    env = environment(folder, REDIS_URL=redis_server.url, WORKERS="2")
    manage(env, "migrate", "--verbosity=0")
    server, port = Process(), free_port()
    try:
        command = [sys.executable, "manage.py", "serve", "--port", str(port)]
        server.spawn(*command, env=env, umask=UMASK)
        server.wait_until(
            lambda: httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200, "the server"
        )
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:
            body = {"username": "ann", "email": "ann@example.com", "password": PASSWORD, "displayName": "Ann"}
            session = http.post("/api/auth/signup", json=body).json()
            http.headers["Authorization"] = f"Bearer {session['accessToken']}"
            room_id = http.post("/api/rooms", json={"name": "room"}).json()["id"]
            for number in range(3):
                assert (
                    http.post(f"/api/rooms/{room_id}/messages", json={"content": str(number)}).status_code
                    == 201
                )
        manage(
            env,
            "archive_messages",
            "--older-than",
            "1s",
            "--grace",
            "1s",
            "--to",
            str(folder / "data" / "archive"),
        )
        manage(env, "backup_database", "--to", str(folder / "copy"))
        made = modes(folder)
    finally:
        server.stop()
    names = {Path(name).name for name in made}
    assert {"chat.sqlite3", "chat.sqlite3-wal", "chat.sqlite3-shm", "chat.log", "secret_key", "copy"} <= names
    assert any(name.startswith("data/metrics/") and name.endswith(".db") for name in made), made
    assert any(name.startswith("data/archive/") for name in made), made
    wide = {name: oct(mode) for name, mode in made.items() if mode not in (0o600, 0o700)}
    assert wide == {}
    assert all((folder / name).is_dir() == (mode == 0o700) for name, mode in made.items()), made


def test_static_files_when_collected_then_a_web_server_may_read_them(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['manage.py', 'collectstatic']; import django; from django.conf import settings;"
        f" settings.STATIC_ROOT = {str(tmp_path / 'static')!r}; django.setup();"
        " from django.core.management import call_command;"
        " call_command('collectstatic', interactive=False, verbosity=0)"
    )
    env = environment(tmp_path, DJANGO_SETTINGS_MODULE="chatproject.settings")
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, umask=UMASK, check=True)
    made = modes(tmp_path / "static")
    assert len(made) > 10
    assert set(made.values()) == {0o755, 0o644}


def found(**places: object) -> list[CheckMessage]:
    with override_settings(**places):
        return list(file_modes(None))


def test_check_when_an_old_file_is_wide_then_names_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    places = {"DATA_DIR": tmp_path, "LOG_DIR": "", "ARCHIVE_DIR": str(tmp_path / "none")}
    database = tmp_path / "chat.sqlite3"
    database.touch(mode=0o600)
    assert found(**places) == []
    database.chmod(0o644)
    (warning,) = found(**places)
    assert (warning.id, str(database) in warning.msg) == ("chat.W017", True)
