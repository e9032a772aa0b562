"""The security log: its records, its metric, and what they hide."""

import contextvars
import io
import json
import logging
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY
from pythonjsonlogger.json import JsonFormatter

from foundation import context, errors, security_log
from foundation.ids import uuid7
from foundation.security_log import Action, Outcome, account_hash, record, recorded

pytestmark = pytest.mark.once  # records and numbers


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the logger `chat.security` writes, as JSON."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter("%(levelname)s %(name)s %(message)s"))
    security_log.logger.addHandler(handler)
    yield stream
    security_log.logger.removeHandler(handler)


def count(action: str, outcome: str) -> float:
    value = REGISTRY.get_sample_value("chat_security_events_total", {"action": action, "outcome": outcome})
    assert value is not None, "the series is there from the start"
    return value


def test_record_when_written_then_is_one_json_object(log: io.StringIO) -> None:
    record(Action.LOGIN, outcome=Outcome.REFUSED, account="eve@example.com", ip="192.0.2.1", name="x")
    found = json.loads(log.getvalue())
    assert found == {
        "levelname": "WARNING",
        "name": "chat.security",
        "message": "security event",
        "action": "login",
        "outcome": "refused",
        "account": account_hash("eve@example.com"),
        "ip": "192.0.2.1",
        "detail": {"name": "x"},
    }


def test_record_when_a_request_runs_then_has_its_address(log: io.StringIO) -> None:
    def in_request() -> None:
        context.client_ip.set("198.51.100.7")
        record(Action.LOGIN, outcome=Outcome.OK, account=uuid7())

    contextvars.Context().run(in_request)
    found = json.loads(log.getvalue())
    assert (found["ip"], found["levelname"]) == ("198.51.100.7", "INFO")


def test_record_when_no_request_runs_then_has_no_address(log: io.StringIO) -> None:
    contextvars.Context().run(lambda: record(Action.KEY_ROTATION, outcome=Outcome.OK))
    assert not {"ip", "account", "actor"} & json.loads(log.getvalue()).keys()


def test_record_when_the_log_level_is_high_then_is_written() -> None:
    """Its own logger has a level, so LOG_LEVEL=ERROR does not silence it."""
    assert security_log.logger.level == logging.INFO


def test_record_when_written_then_is_counted_once() -> None:
    before = count("token_reuse", "refused")
    record(Action.TOKEN_REUSE, outcome=Outcome.REFUSED)
    assert count("token_reuse", "refused") == before + 1


@pytest.mark.parametrize("action", Action)
def test_metric_when_nothing_happened_then_has_a_series(action: Action) -> None:
    assert all(count(action, outcome) >= 0 for outcome in Outcome)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "ok"),
        (errors.InvalidCredentials(), "refused"),
        (errors.Invalid(), "refused"),
        (errors.RateLimited(retry_after=1), "limited"),
        (errors.Overloaded(), "limited"),
        (errors.Unavailable(), "failed"),
        (RuntimeError("a text that may hold a secret"), "failed"),
    ],
)
def test_recorded_when_the_block_ends_then_has_its_outcome(
    log: io.StringIO, error: Exception | None, outcome: str
) -> None:
    def run() -> None:
        with recorded(Action.LOGIN, account="given", limit="x") as event:
            event.account = "found"
            if error is not None:
                raise error

    if error is None:
        run()
    else:
        with pytest.raises(type(error)):
            run()
    found = json.loads(log.getvalue())
    assert (found["outcome"], found["account"]) == (outcome, account_hash("found"))
    code = {} if error is None else {"error": getattr(error, "code", type(error).__name__)}
    assert found["detail"] == {"limit": "x", **code}
    assert "secret" not in log.getvalue()


def test_account_hash_when_repeated_then_is_the_same_and_keyed(settings: object) -> None:
    user_id = uuid7()
    first = account_hash(user_id)
    assert first == account_hash(str(user_id)) != account_hash(uuid7())
    assert account_hash("") == ""
    settings.SECRET_KEY = "another key of this installation, of more than fifty characters"  # type: ignore[attr-defined]
    assert account_hash(user_id) != first
