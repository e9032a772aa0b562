"""Settings from the environment: each limit of the contract is read, and a bad value stops the start. About ten
seconds, one process for each start."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from chatproject.settings import env as settings_env
from foundation.limits.named import LIMITS as DECLARED
from foundation.limits.rates import Rate
from tests.kit.paths import ROOT

pytestmark = pytest.mark.once  # the environment's values

SECRET = "tests-only-" + "k" * 50
# The contract's table of limits: the variable, its default, and another value.
RATES = {
    "LIMIT_MESSAGES_USER": ("10/5s", "1/3s"),
    "LIMIT_MESSAGES_ROOM": ("50/5s", "2/3s"),
    "LIMIT_FRAMES": ("50/1s", "3/3s"),
    "LIMIT_REST_ANON": ("100/900s", "4/180s"),
    "LIMIT_REST_USER": ("1000/900s", "5/180s"),
    "LIMIT_LOGIN_ACCOUNT": ("5/60s", "6/180s"),
    "LIMIT_LOGIN_IP": ("20/60s", "7/180s"),
    "LIMIT_SIGNUP_IP": ("10/3600s", "8/7200s"),
    "LIMIT_ROOMS_USER_LONG": ("200/3600s", "9/7200s"),
    "LIMIT_STRANGERS_USER": ("500/3600s", "10/7200s"),
    "LIMIT_ADDS_MEMBER": ("3/86400s", "11/7200s"),
    "LIMIT_CONNECTS_IP": ("3000/60s", "12/180s"),
    "LIMIT_CONNECTS_USER": ("30/60s", "13/180s"),
    "LIMIT_CONNECTS_FORGED": ("60/60s", "14/180s"),
    "LIMIT_SEARCHES_USER": ("60/60s", "15/180s"),
}
SIZES = {
    "MAX_CONTENT_CHARS": ("4000", "9"),
    "MAX_META_BYTES": ("4096", "10"),
    "MAX_FRAME_BYTES": ("65536", "11"),
    "MAX_CONNECTIONS_USER": ("10", "12"),
    "MAX_ROOM_MEMBERS": ("1000", "13"),
    "PRESENCE_ROOM_LIMIT": ("100", "14"),
    "MAX_ROOMS_USER": ("1000", "15"),
    "READY_ROOMS": ("1000", "16"),
}
LIMITS = {**RATES, **SIZES, "RATE_LIMITS": ("True", "off")}


def manage(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env={**kept, "DATA_DIR": str(folder), **env},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_limits_when_set_or_not_then_are_those_or_the_contracts(tmp_path: Path) -> None:
    settings = "import chatproject.settings as s; import json; names = %r; " % [*LIMITS]
    settings += "print(json.dumps({n: str(s.RATES.get(n) or getattr(s, n)) for n in names}))"
    others = {name: other for name, (_, other) in LIMITS.items()}
    for env, expected in (
        ({}, {name: default for name, (default, _) in LIMITS.items()}),
        (others, {**others, "RATE_LIMITS": "False"}),
    ):
        run = manage(tmp_path, "shell", "-v0", "-c", settings, SECRET_KEY=SECRET, **env)
        assert json.loads(run.stdout.splitlines()[-1]) == expected, run.stderr


BAD = [
    *((name, bad) for name in RATES for bad in ("ten", "0/5s")),
    *((name, bad) for name in SIZES for bad in ("0", "many")),
    ("RATE_LIMITS", "perhaps"), ("DEBUG", "perhaps"), ("PORT", "http"), ("PORT", "70000"), ("LOG_LEVEL", "LOUD"),
    ("DATABASE_URL", "nonsense"), ("DATABASE_URL", "foo://x"), ("REDIS_URL", "localhost:6379"),
    ("ACCESS_TOKEN_SECONDS", "-5"),
    *(("RETENTION_DAYS", bad) for bad in ("-1", "36501", "1.5", "9" * 30)),
]  # fmt: skip


LOAD_EACH = """
import json, os, runpy
for name, value in json.loads(os.environ["CASES"]):
    os.environ[name] = value
    try:
        runpy.run_path("chatproject/settings.py", run_name="chatproject.tried")
        print(json.dumps("no error"))
    except Exception as error:
        print(json.dumps(f"{type(error).__name__}: {error}"))
    del os.environ[name]
"""


def numbers() -> list[tuple[str, float, float]]:
    """(name, least, most) of every number, as docs/configuration.md shows it."""
    shown = [(one.name, re.search(r", from (\S+) to (\S+)$", one.default)) for section in settings_env.sections
             for one in section.variables]  # fmt: skip
    return [(name, float(bounds[1]), float(bounds[2])) for name, bounds in shown if bounds]


# A rate of each of these would be obeyed as none, or as one that lets everything pass.
BAD_RATES = ("0/5s", "5/0s", "-1/5s", "1000001/1s", "1/32d", "99999999999/1s", "nan/1s", "1e3/1s", "٣/5s", "")
BAD_NUMBERS = ("nan", "inf", "-inf", "1e999", "", " ", "0x10", "9" * 400)
BAD += [(name, bad) for name, _, _ in numbers() for bad in BAD_NUMBERS]
BAD += [(name, f"{least - 1:.15g}") for name, least, _ in numbers()]
BAD += [(name, f"{most + 1:.15g}") for name, _, most in numbers()]
BAD += [(limit.variable, bad) for limit in DECLARED for bad in BAD_RATES]


def test_numbers_when_declared_then_all_have_bounds() -> None:
    bounded = {name for name, _, _ in numbers()}
    read = re.findall(
        r"^(\w+) = env\.(?:whole|seconds)\(", (ROOT / "chatproject/settings.py").read_text(), re.M
    )
    assert bounded == set(read)
    assert len(bounded) > 20


def test_value_when_it_is_bad_then_one_line_names_the_variable(tmp_path: Path) -> None:
    env = {"SECRET_KEY": SECRET, "DATA_DIR": str(tmp_path), "PYTHONPATH": str(ROOT), "CASES": json.dumps(BAD)}
    run = subprocess.run(
        [sys.executable, "-c", LOAD_EACH], env=env, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    said = [json.loads(line) for line in run.stdout.splitlines()]
    for (name, value), sentence in zip(BAD, said, strict=True):
        assert name in sentence, (name, value, sentence)
        assert sentence.startswith(("EnvError", "EnvValidationError", "ImproperlyConfigured")), sentence
        assert len(sentence.splitlines()) == 1, sentence


def test_start_when_a_value_is_bad_then_stops_without_a_traceback(tmp_path: Path) -> None:
    run = manage(tmp_path, "serve", "--port", "1", SECRET_KEY=SECRET, LIMIT_FRAMES="ten")
    said = (run.stdout + run.stderr).strip()
    assert run.returncode == 1
    assert "LIMIT_FRAMES" in said
    assert len(said.splitlines()) == 1


def test_make_run_when_it_listens_on_this_machine_only_then_is_generous() -> None:
    def limits(host: str) -> dict[str, str]:
        printed = subprocess.run(
            ["make", "-n", "run", f"HOST={host}"], cwd=ROOT, capture_output=True, text=True
        )
        return dict(re.findall(r"(LIMIT_\w+)=\$\{\1:-(\S+)\}", printed.stdout))

    assert limits("127.0.0.1").keys() <= settings_env.names()
    assert Rate.parse(limits("127.0.0.1")["LIMIT_SIGNUP_IP"]).events >= 1000
    assert limits("0.0.0.0") == {}


@pytest.mark.parametrize(("command", "env"), [("serve", {}), ("migrate", {"SECRET_KEY": "", "DEBUG": "off"})])
def test_secret_key_when_missing_then_stops_with_one_sentence(
    tmp_path: Path, command: str, env: dict[str, str]
) -> None:
    run = manage(tmp_path, command, **env)
    assert run.returncode == 1
    assert "SECRET_KEY" in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "secret_key").exists()


def test_secret_key_when_debug_is_on_then_is_made_once_and_private(tmp_path: Path) -> None:
    show = "from django.conf import settings; print(settings.SECRET_KEY)"
    keys = [
        manage(tmp_path, "shell", "-v0", "-c", show, DEBUG="on").stdout.splitlines()[-1] for _ in range(2)
    ]
    path = tmp_path / "secret_key"
    assert keys[0] == keys[1] == path.read_text()
    assert len(keys[0]) >= 50
    assert path.stat().st_mode & 0o077 == 0
