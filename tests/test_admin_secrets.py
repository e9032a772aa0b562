"""No page of the admin contains a password, hash, token or key. About five seconds.

The pages come from the registry of the admin and from its URLs, so new pages are tested too. A new model in the
admin needs a row in `Rows`.
"""

from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse

from accounts import logins
from accounts.models import Session, SigningSeed, User
from foundation import loop, times
from foundation.ids import uuid7
from messaging.models import ArchivedKey, Message, MessageRevision
from moderation import services as moderation
from moderation.models import Report
from moderation.services import Case
from rooms.models import Membership, Room
from tests.kit.leaks import MARK, leaks, parts_of
from tests.kit.users import PASSWORD


class Rows:
    """A superuser and a row of each model in the admin. No page may contain one of `secrets`."""

    def __init__(self) -> None:
        client = {"ip": "192.0.2.1", "user_agent": "test"}
        signed_up = loop.call(
            logins.signup(username="Keeper", email="root@example.com", password=PASSWORD, **client)
        )
        self.root, tokens = signed_up.user, signed_up.tokens
        User.objects.filter(pk=self.root.pk).update(is_staff=True, is_superuser=True)
        self.root.refresh_from_db()
        room = Room.objects.create(name="room", created_by=self.root, last_seq=1)
        Membership.objects.create(room=room, user=self.root)
        text: dict[str, Any] = {"content": "hello", "created_at": times.now()}
        message = Message.objects.create(room=room, seq=1, sender=self.root, fingerprint="f", **text)
        MessageRevision.objects.create(
            message=message, version=1, content="hullo", written_by=self.root, written_at=times.now()
        )
        key = {"message_id": uuid7(), "seq": 1, "fingerprint": "f", "created_at": times.now()}
        ArchivedKey.objects.create(id=uuid7(), **key)
        author: dict[str, Any] = {"room": room, "author": self.root, "reporter": self.root}
        Report.objects.create(
            message_id=message.pk, seq=1, version=1, content="hello", reason="spam", **author
        )
        case = Case(self.root.pk, self.root.username, reason="a test")
        loop.call(moderation.lock_room(case=case, room_id=room.pk))
        Group.objects.create(name="moderators")
        seed = SigningSeed.objects.create(seed="5eed" * 16, signs_from=times.now() + timedelta(days=1)).seed
        jti = Session.objects.get().refresh_jti
        self.secrets = [PASSWORD, "argon2", self.root.password, jti, seed, settings.SECRET_KEY]
        self.secrets += parts_of(tokens.access_token, tokens.refresh_token)


def pages_of_models() -> Iterator[tuple[str, str]]:
    """Yields the path and the kind (`changelist`, `change` ...) of each page of each registered model."""
    for model, model_admin in admin.site._registry.items():
        rows = list(model._default_manager.all()[:3])
        assert rows, f"{model._meta.label} has no row: create one in Rows"
        base = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for pattern in model_admin.get_urls():
            route = str(pattern.pattern)
            paths = {base + route.replace("<path:object_id>", str(row.pk)) for row in rows}
            for path in paths:
                assert "<" not in path, f"{route} has a parameter that this test cannot fill in"
                yield path, (pattern.name or "").rpartition("_")[2]


def pages_of_site() -> Iterator[str]:
    """Yields the paths of the pages of the admin site itself."""
    user = User.objects.get()
    values = {
        "content_type_id": [ContentType.objects.get_for_model(User).pk],
        "object_id": [user.pk],
        "app_label": sorted({model._meta.app_label for model in admin.site._registry}),
        "url": ["nowhere/"],
    }
    for pattern in admin.site.get_urls():
        if isinstance(pattern, URLResolver):
            continue
        assert isinstance(pattern, URLPattern)
        names = list(pattern.pattern.regex.groupindex)
        for chosen in product(*(values[name] for name in names)):
            fields = dict(zip(names, chosen, strict=True))
            yield reverse(f"admin:{pattern.name}", kwargs=fields) if pattern.name else "/admin/nowhere/"


@pytest.mark.django_db(transaction=True)
def test_admin_when_every_page_is_opened_then_shows_no_secret() -> None:
    rows = Rows()
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(rows.root)
    secrets = [*rows.secrets, browser.cookies["__Host-session"].value]
    found: dict[str, list[str]] = {}
    asked = 0
    for path, kind in pages_of_models():
        answers = [browser.get(path)]
        assert answers[0].status_code == 200 or kind not in ("changelist", "change", "history"), path
        if kind != "delete":
            answers.append(browser.post(path, {"password": PASSWORD, "username": PASSWORD}))
        for answer in answers:
            found[f"{answer.request['REQUEST_METHOD']} {path}"] = leaks(answer, secrets)
            assert answer.status_code < 500, path
            asked += 1
    for path in pages_of_site():
        if "logout" in path:
            continue
        form = {"username": "root@example.com", "password": MARK, "old_password": MARK, "new_password1": MARK}
        for answer in (browser.get(path), browser.post(path, form), Client().post(path, form)):
            found[f"{answer.request['REQUEST_METHOD']} {path}"] = leaks(answer, [*secrets, MARK])
            assert answer.status_code < 500, path
            asked += 1
    assert {page: leaked for page, leaked in found.items() if leaked} == {}
    assert asked > 10 * len(admin.site._registry)
    assert "root@example.com" in browser.get(f"/admin/accounts/user/{rows.root.pk}/change/").text
