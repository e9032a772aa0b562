"""Users in the database: how their names are folded and found."""

import pytest
from django.db import IntegrityError, transaction

from accounts.models import User
from accounts.names import username_key


def test_natural_key_when_in_any_case_then_finds_username_or_email(user: User) -> None:
    assert User.objects.get_by_natural_key("aNN") == user
    assert User.objects.get_by_natural_key(" ANN@example.COM") == user
    with pytest.raises(User.DoesNotExist):
        User.objects.get_by_natural_key(None)


def test_fold_when_case_width_or_composition_differ_then_is_equal() -> None:
    assert username_key("ＡＬＩＣＥ") == username_key("alice")  # noqa: RUF001
    assert username_key("E\u0301lan Straße") == username_key("ÉLAN STRASSE")
    assert len(username_key("\ufdfa" * 64)) == 64


def test_username_when_its_key_exists_then_the_database_refuses_it(user: User) -> None:
    other = User.objects.build(username="aNN", email="other@example.com")
    with pytest.raises(IntegrityError), transaction.atomic():
        other.save()
