"""Email addresses and usernames: which are one, and which are reserved."""

from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection

from accounts.models import User
from accounts.names import fold_email, is_reserved
from tests.kit.users import PASSWORD


@pytest.mark.once  # texts
@pytest.mark.parametrize(
    ("email", "folded"),
    [
        (" Ann@Example.COM ", "ann@example.com"),
        ("ann@b\u00fccher.example", "ann@xn--bcher-kva.example"),
        ("ann@B\u00dcCHER.example", "ann@xn--bcher-kva.example"),
        ("ann@bu\u0308cher.example", "ann@xn--bcher-kva.example"),
        ("ann@XN--BCHER-KVA.example", "ann@xn--bcher-kva.example"),
        ("ann@\uff45xample.com", "ann@example.com"),
        ("ann@example\u3002com", "ann@example.com"),
        ("ann@stra\u00dfe.example", "ann@xn--strae-oqa.example"),
        ("ann@\u4f8b\u3048.\u30c6\u30b9\u30c8", "ann@xn--r8jz45g.xn--zckzah"),
        # None of these is an address. The validator refuses them.
        ("ann", "ann"),
        ("\u00dcnal", "\u00fcnal"),
        ("ann@\u200b.example", "ann@\u200b.example"),
        ("ann@" + "\u00fc" * 100, "ann@" + "\u00fc" * 100),
        ("", ""),
    ],
    ids=ascii,
)
def test_fold_email_when_given_then_the_domain_is_ascii(email: str, folded: str) -> None:
    assert fold_email(email) == folded
    assert fold_email(folded) == folded


@pytest.mark.once  # texts
@pytest.mark.parametrize(
    "name", ["admin", "Admin", "SUPPORT", "a.d.m.i.n", "_root_", "every-one", "null", "Here"]
)
def test_is_reserved_when_it_reads_as_a_reserved_name_then_is_true(name: str) -> None:
    assert is_reserved(name)


@pytest.mark.once  # texts
@pytest.mark.parametrize("name", ["ann", "adminton", "rootbeer", "bob", "helper", "allison", "..."])
def test_is_reserved_when_it_only_contains_one_then_is_false(name: str) -> None:
    assert not is_reserved(name)


def test_user_when_a_command_makes_a_reserved_one_then_it_is_made(transactional_db: None) -> None:
    user = User.objects.create_superuser(username="admin", email="a@b\u00fccher.example", password=PASSWORD)
    assert User.objects.get_by_natural_key("A@B\u00dcCHER.example") == user
    assert User.objects.get_by_natural_key("a@xn--bcher-kva.example") == user


def test_migration_when_domains_are_not_ascii_then_folds_them(transactional_db: None) -> None:
    emails = {
        "one": "one@b\u00fccher.example",
        "two": "two@b\u00fccher.example",
        "three": "three@example.com",
    }
    users = {name: User.objects.create_user(username=name, email=f"{name}@x.example") for name in emails}
    for name, email in emails.items():
        User.objects.filter(pk=users[name].pk).update(email=email)
    taken = User.objects.create_user(username="taken", email="two@xn--bcher-kva.example")
    migration = import_module("accounts.migrations.0004_email_domains")
    for _ in range(2):
        migration.fold_domains(apps, SimpleNamespace(connection=connection))
        stored = dict(User.objects.values_list("username", "email"))
        assert stored == emails | {"one": "one@xn--bcher-kva.example", "taken": taken.email}
