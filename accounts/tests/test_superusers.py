"""The last superuser keeps the rights, also when two remove each other at the same moment."""

from typing import Any

import pytest

from accounts import services
from accounts.models import User
from accounts.superusers import RIGHTS, keep_one_superuser
from foundation import loop
from foundation.errors import Conflict


def superuser(name: str) -> User:
    return User.objects.create_superuser(username=name, email=f"{name}@example.com")


def superusers() -> int:
    return User.objects.filter(**dict.fromkeys(RIGHTS, True)).count()


@pytest.mark.parametrize("right", ["is_superuser", "is_staff"])
def test_change_account_when_of_the_last_superuser_then_stays(transactional_db: Any, right: str) -> None:
    root = superuser("root")
    User.objects.create_user(username="other", email="other@example.com")
    # Deactivated, he cannot give rights back.
    User.objects.filter(pk=superuser("gone").pk).update(is_active=False)
    with pytest.raises(Conflict, match="last superuser"):
        loop.call(services.change_account(user_id=root.pk, **{right: False}))
    with pytest.raises(Conflict, match="last superuser"):
        loop.call(services.deactivate_user(user_id=root.pk))
    assert superusers() == 1
    second = superuser("second")
    loop.call(services.change_account(user_id=root.pk, **{right: False}))
    assert superusers() == 1
    with pytest.raises(Conflict):
        loop.call(services.deactivate_user(user_id=second.pk))


def test_keep_one_superuser_when_two_remove_each_other_then_one_stays(transactional_db: Any) -> None:
    one, two = superuser("one"), superuser("two")
    change = {"is_superuser": False}

    def write(user: User) -> int:
        return User.objects.filter(pk=user.pk).update(**change)

    def write_one_after_the_other() -> int:
        # Both have looked for another superuser and found one.
        assert keep_one_superuser(two, change, lambda: write(two)) == 1
        return write(one)

    with pytest.raises(Conflict):
        keep_one_superuser(one, change, write_one_after_the_other)
    assert User.objects.get(is_superuser=True) == one
