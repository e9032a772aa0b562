"""Injections into accounts and sessions."""

from pathlib import Path

import pytest

from accounts.models import Session, User
from foundation import times

from .sound_database import HOUR, Database, Injection, rows

pytestmark = pytest.mark.django_db


def user(db: Database, **columns: object) -> None:
    rows(User, pk=db.ben.pk).update(**columns)


def take_the_name(db: Database) -> None:
    """Ben is not found by his name, which another user has in small letters."""
    User.objects.create_user(username="other", email="other@example.com")
    rows(User, username="other").update(username="Ben", username_key="ben2")


INJECTIONS = [
    Injection("username_not_folded", "username_key", lambda db: user(db, username_key="Ben"), repaired=True),
    Injection("username_of_another", "username_key", take_the_name),
    Injection("email_not_folded", "email", lambda db: user(db, email="Ben@Example.com"), repaired=True),
    Injection(
        "email_domain_not_ascii", "email", lambda db: user(db, email="ben@bücher.example"), repaired=True
    ),
    Injection("email_of_another", "email", lambda db: user(db, email="ANN@example.com")),
    Injection(
        "display_name_not_folded",
        "display_name_key",
        lambda db: user(db, display_name="José", display_name_key="josé"),
        repaired=True,
    ),
    Injection(
        "session_of_a_deactivated_user",
        "session_live",
        lambda db: rows(Session, user_id=db.eve.pk).update(revoked_at=None, expires_at=times.now() + HOUR),
        repaired=True,
    ),
]


@pytest.mark.parametrize("injection", INJECTIONS, ids=str)
def test_check_when_an_account_is_broken_then_its_rule_names_it(injection: Injection, tmp_path: Path) -> None:
    injection.run(tmp_path)
