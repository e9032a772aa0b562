"""Runs every command of docs/runbook.md against a server, and every alert rule over series. About ten seconds.

Management commands have tests of their own, so here only their arguments are checked. RUNBOOK_WHOLE=1 runs them
too, which takes a minute.
"""

import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from django.core.management import get_commands, load_command_class

from messaging.archive import Archive
from messaging.archive_lines import encode_line
from messaging.archive_manifest import Manifest
from messaging.models import Message
from tests.kit.blocks import blocks, check_output, need, run
from tests.kit.errors import error_of
from tests.kit.paths import ROOT
from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

FOLDERS = ("backups", "archive", "drill", "newdisk")
WHOLE = bool(os.environ.get("RUNBOOK_WHOLE"))
# `python` is the interpreter of the tests. Unless WHOLE, `python manage.py` only writes its arguments to a file.
PRELUDE = """set -euo pipefail
python() {
  if [ "$1" = manage.py ] && [ "$WHOLE" = False ]; then echo "${@:2}" >> "$CALLS"; else command "$PYTHON" "$@"; fi
}
"""


async def be_busy(server: ChatServer) -> tuple[ChatUser, str]:
    """Write a log with three messages that were delivered, and three that a limit refused. Two logins failed."""
    user = server.sign_up()
    room_id = user.make_room()
    async with user.connect() as socket:
        for _ in range(3):
            user.send(room_id, "hello")
            await socket.expect("message:receive")
        refused = await socket.error("message:send", {"roomId": room_id, "content": "too much"})
        assert refused["code"] == "rate_limited"
        for _ in range(2):
            answer = user.http.post(f"/api/rooms/{room_id}/messages", json={"content": "too much"})
            error_of(answer, 429, "rate_limited")
    for _ in range(2):
        answer = server.http().post("/api/auth/login", json={"email": user.email, "password": "a guess"})
        error_of(answer, 401, "invalid_credentials")
    return user, room_id


def archive(room_id: str, sender_id: str, to: Path) -> None:
    messages = [
        Message(room_id=UUID(room_id), sender_id=UUID(sender_id), seq=seq, content="hello", fingerprint="f")
        for seq in (1, 2)
    ]
    Archive(to).write(Manifest(UUID(room_id)), [encode_line(message, ()) for message in messages], 1, 2)


async def test_commands_when_run_then_print_what_the_runbook_shows(
    start_server: Callable[..., ChatServer], redis_server: RedisServer, tmp_path: Path
) -> None:
    need("bash", "jq")
    server = start_server(
        REDIS_URL=redis_server.url, LOG_DIR=str(tmp_path), RATE_LIMITS="on", LIMIT_MESSAGES_USER="3/10m"
    )
    user, room_id = await be_busy(server)
    for name in FOLDERS:
        (tmp_path / name).mkdir()
    if WHOLE:
        whole = (
            "archive_messages",
            "--older-than",
            "0.001s",
            "--grace",
            "0",
            "--to",
            str(tmp_path / "archive"),
        )
        server.manage(*whole)
    else:
        archive(room_id, user.id, tmp_path / "archive")
    env = {**server.env, "PORT": str(server.port), "PYTHON": sys.executable, "ROOM": room_id}
    env |= {"CALLS": str(tmp_path / "calls"), "WHOLE": str(WHOLE)}
    for code, shown in blocks("runbook.md", "bash"):
        if "redis-cli" in code and shutil.which("redis-cli") is None:
            continue
        for name in FOLDERS:
            code = code.replace(f"/{name}", f"{tmp_path}/{name}")
        printed = run("bash", "-c", PRELUDE + code, env=env)
        if shown and (WHOLE or "manage.py" not in code):
            check_output(printed, shown)
    calls = [] if WHOLE else (tmp_path / "calls").read_text().splitlines()
    for name, *arguments in map(str.split, calls):
        load_command_class(get_commands()[name], name).create_parser("manage.py", name).parse_args(arguments)


@pytest.mark.once  # of Prometheus
def test_rules_when_run_over_series_then_fire_or_stay_quiet() -> None:
    need("promtool")
    run("promtool", "test", "rules", "alerts_test.yml", folder=ROOT / "deploy" / "prometheus")


# Of the packages that every Debian has, of Python's image, and of the shell.
BASE = {
    "cd", "date", "df", "du", "export", "find", "grep", "head", "mkdir", "mv", "python", "rm", "sha256sum", "sort",
    "tail", "uniq", "zcat",
}  # fmt: skip
PACKAGES = {"jq": "jq", "redis-cli": "redis-tools", "top": "procps", "fuser": "psmisc"}
# Run where they are: on the host, or with the database.
ELSEWHERE = {"dmesg", "mongosh"}
TEXT = re.compile(r"'[^']*'|\"[^\"]*\"|#.*")
COMMAND = re.compile(r"(?:^|\||&&|;|\$\()\s*(?:\w+=\S+\s+)*([a-z][\w.-]*)", re.M)


def commands(language: str) -> set[str]:
    return {
        name for code, _ in blocks("runbook.md", language) for name in COMMAND.findall(TEXT.sub("''", code))
    }


@pytest.mark.once  # of the image
def test_tools_when_the_runbook_calls_them_then_the_image_has_them() -> None:
    install = re.search(r"apt-get install (.*)", (ROOT / "Dockerfile").read_text())
    assert install is not None
    installed = {program for program, package in PACKAGES.items() if package in install[1].split()}
    assert commands("bash") - BASE - installed == set()
    assert commands("sh") - BASE - installed - ELSEWHERE == set()
    assert installed == PACKAGES.keys(), "each package has a program that the runbook calls"
