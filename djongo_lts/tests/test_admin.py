"""The admin, auth, sessions and simplejwt's blacklist on the engine, through their public interfaces."""

import datetime

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.test import Client
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken

from .testapp.models import Message, Room, Tag

MESSAGES = "/admin/testapp/message/"


@pytest.fixture
def admin(messages) -> Client:
    user = User.objects.create_superuser("root", "root@example.com", "secret")
    Message.objects.filter(seq__lt=3).update(author=user)
    messages[0].tags.set([Tag.objects.create(name="message tag"), Tag.objects.create(name="other message")])
    client = Client(headers={"host": "localhost"})
    assert client.login(username="root", password="secret")
    return client


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 30),
        ("?q=message+1", 12),
        ("?q=root", 3),
        ("?q=.*", 0),
        ("?q=(", 0),
        ("?q=tag", 1),
        # A search over the many-to-many relation gives no duplicate rows.
        ("?q=message+tag", 1),
        ("?pinned__exact=0", 30),
        ("?author__is_active__exact=1", 3),
        ("?at__year=2024", 30),
        ("?at__year=2024&at__month=3&at__day=30", 30),
        ("?at__year=2023", 0),
        ("?o=-2.3", 30),
        ("?_facets=True", 30),
        ("?p=1", 30),
    ],
)
def test_changelist_when_searched_or_filtered_then_it_shows_the_rows(admin, query, count):
    response = admin.get(MESSAGES + query)
    assert response.status_code == 200
    assert response.context["cl"].result_count == count
    assert len(response.context["cl"].result_list) == count


def test_changelist_when_searched_by_id_then_one_row_is_found(admin, messages):
    for query, count in ((str(messages[0].room.pk), 1), ("no-uuid", 0), ("oom", 1)):
        assert admin.get(f"/admin/testapp/room/?q={query}").context["cl"].result_count == count


def test_change_and_delete_when_posted_then_the_history_records_them(admin, messages):
    room = messages[0].room
    page = f"/admin/testapp/room/{room.pk}/"
    assert admin.get(f"{page}change/").status_code == 200
    posted = admin.post(
        f"{page}change/", {"name": "renamed", "slug": "s", "rank": "1", "open": "on", "founded": "2024-01-01"}
    )
    assert posted.status_code == 302
    room.refresh_from_db()
    assert (room.name, room.slug) == ("renamed", "s")
    assert "Changed" in admin.get(f"{page}history/").content.decode()
    assert "30" in admin.get(f"{page}delete/").content.decode()
    assert admin.post(f"{page}delete/", {"post": "yes"}).status_code == 302
    assert (Room.objects.count(), Message.objects.count()) == (0, 0)
    assert list(LogEntry.objects.values_list("action_flag", flat=True).order_by("pk")) == [2, 3]


def test_delete_action_when_rows_are_selected_then_they_are_deleted(admin, messages):
    chosen = [str(message.pk) for message in messages[:3]]
    form = {"action": "delete_selected", "_selected_action": chosen}
    assert admin.post(MESSAGES, form).status_code == 200
    assert admin.post(MESSAGES, {**form, "post": "yes"}).status_code == 302
    assert Message.objects.count() == 27


@pytest.mark.parametrize(
    "page", ["/admin/", "/admin/auth/user/", "/admin/auth/user/?q=root&is_staff__exact=1", "/admin/auth/group/add/",
             "/admin/auth/user/add/", "/admin/token_blacklist/outstandingtoken/", "/admin/testapp/message/add/"]
)  # fmt: skip
def test_page_when_opened_then_status_is_200(admin, page):
    assert admin.get(page).status_code == 200


def test_permissions_when_given_to_user_and_group_then_both_count(mongo):
    user, group = User.objects.create_user("ann"), Group.objects.create(name="staff")
    group.permissions.set(Permission.objects.filter(codename__in=["add_room", "change_room"]))
    user.groups.add(group)
    user.user_permissions.add(Permission.objects.get(codename="view_message"))
    user = User.objects.get(pk=user.pk)
    assert user.get_all_permissions() == {"testapp.add_room", "testapp.change_room", "testapp.view_message"}
    assert user.has_perm("testapp.add_room")
    assert not user.has_perm("testapp.delete_room")
    assert list(
        User.objects.with_perm("testapp.add_room", backend="django.contrib.auth.backends.ModelBackend")
    ) == [user]
    group.delete()
    assert not User.objects.get(pk=user.pk).has_perm("testapp.add_room")


def test_session_when_it_expires_then_clearsessions_deletes_it(admin):
    assert Session.objects.count() == 1
    Session.objects.update(expire_date=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
    call_command("clearsessions")
    assert Session.objects.count() == 0
    assert admin.get("/admin/").status_code == 302


def test_refresh_token_when_blacklisted_then_it_is_rejected(mongo):
    token = RefreshToken.for_user(User.objects.create_user("ann"))
    RefreshToken(str(token)).check_blacklist()
    token.blacklist()
    token.blacklist()
    with pytest.raises(TokenError):
        RefreshToken(str(token))
    assert BlacklistedToken.objects.select_related("token__user").get().token.user.username == "ann"
    OutstandingToken.objects.update(expires_at=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
    call_command("flushexpiredtokens")
    assert (OutstandingToken.objects.count(), BlacklistedToken.objects.count()) == (0, 0)
