"""`check --deploy` finds nothing in a safe configuration, and names each unsafe setting."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.test import override_settings

from foundation.proxies import TrustedProxies
from tests.kit.paths import ROOT

SAFE = {
    "SECRET_KEY": "7PqkX2vLw9ZrT4mNc8YbH3sJf6DgA1eUxQoWiE5tRyBnMvCzKd0",
    "SECRET_KEY_FALLBACKS": [],
    "DATA_DIR": Path("/nowhere"),
    "ARCHIVE_DIR": "/nowhere",
    "DEBUG": False,
    "WORKERS": 4,
    "ALLOWED_HOSTS": ["chat.example"],
    "ALLOWED_ORIGINS": ["https://chat.example"],
    "TRUSTED_PROXIES": TrustedProxies.parse("1"),
    "SECURE_SSL_REDIRECT": True,
    "SECURE_HSTS_SECONDS": 31536000,
    "SESSION_COOKIE_SECURE": True,
    "CSRF_COOKIE_SECURE": True,
    "RATE_LIMITS": True,
    "PASSWORD_MEMORY_KIB": 102_400,
    "REDIS_URL": "rediss://:secret@redis.example:6379/0",
    "DATABASE_URL": "mongodb://chat:secret@mongo.example:27017/chat?replicaSet=rs0",
    "DATABASES": {"default": {"ENGINE": "djongo_lts"}},
}
# The checks only read the settings; nothing connects.
pytestmark = [pytest.mark.once, pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")]
SQLITE = {"default": {"ENGINE": "django.db.backends.sqlite3"}}


def found(**changes: object) -> list[str]:
    with override_settings(**{**SAFE, **changes}):
        messages = run_checks(tags=["security"], include_deployment_checks=True)
    return sorted(message.id for message in messages if not message.is_silenced())


def test_check_when_all_is_safe_then_finds_nothing() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("changes", "check_id"),
    [
        ({"REDIS_URL": ""}, "chat.E001"),
        ({"DATABASES": SQLITE}, "chat.E002"),
        ({"SECRET_KEY": "change-me" + SAFE["SECRET_KEY"]}, "chat.E003"),
        ({"SECRET_KEY_FALLBACKS": ["tests-only" + SAFE["SECRET_KEY"]]}, "chat.E003"),
        ({"SECRET_KEY": "short"}, "security.W009"),
        ({"DEBUG": True}, "security.W018"),
        ({"ALLOWED_HOSTS": ["*"]}, "chat.E004"),
        ({"ALLOWED_ORIGINS": ["*"]}, "chat.E005"),
        ({"ALLOWED_ORIGINS": ["https://*.example"]}, "chat.E005"),
        ({"ALLOWED_ORIGINS": ["http://chat.example"]}, "chat.W006"),
        ({"ACCESS_TOKEN_SECONDS": 24 * 3600}, "chat.W007"),
        ({"REFRESH_TOKEN_SECONDS": 365 * 24 * 3600}, "chat.W008"),
        ({"REFRESH_TOKEN_SECONDS": 60}, "chat.E009"),
        ({"RATE_LIMITS": False}, "chat.E010"),
        ({"TRUSTED_PROXIES": TrustedProxies.parse("0.0.0.0/0")}, "chat.E011"),
        ({"REDIS_URL": "redis://redis.example:6379/0"}, "chat.E012"),
        ({"REDIS_URL": "redis+sentinel://one:26379,two:26379/mymaster/0"}, "chat.E012"),
        ({"DATABASE_URL": "mongodb://mongo.example/chat"}, "chat.E013"),
        ({"PRESENCE_LEASE_SECONDS": 10.0, "PRESENCE_RENEW_SECONDS": 8.0}, "chat.E014"),
        ({"PASSWORD_MEMORY_KIB": 1024}, "chat.E015"),
        ({"SECURE_SSL_REDIRECT": False}, "security.W008"),
        ({"SECURE_HSTS_SECONDS": 0}, "security.W004"),
    ],
)
def test_check_when_a_setting_is_unsafe_then_names_it(changes: dict, check_id: str) -> None:
    assert found(**changes) == [check_id]


@pytest.mark.parametrize(
    "changes",
    [
        {"WORKERS": 1, "REDIS_URL": "", "DATABASE_URL": "", "DATABASES": SQLITE},
        {"REDIS_URL": "redis://127.0.0.1:6379/0", "DATABASE_URL": "mongodb://localhost/chat"},
        {"ALLOWED_ORIGINS": ["http://localhost:3000"]},
    ],
)
def test_check_when_a_small_deployment_is_safe_then_finds_nothing(changes: dict) -> None:
    assert found(**changes) == []


def test_check_when_run_as_a_command_then_fails_and_names_each(tmp_path: Path) -> None:
    env = {
        **os.environ,
        "SECRET_KEY": "change-me",
        "DATA_DIR": str(tmp_path),
        "WORKERS": "2",
        "REDIS_URL": "",
    }
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    outcome = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert outcome.returncode != 0
    assert {"chat.E001", "chat.E002", "chat.E003"} <= set(re.findall(r"chat\.[EW]\d+", outcome.stderr))
