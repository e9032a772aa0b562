"""Admin pages of users and sessions: what they show, how many queries they need, and who may give privileges."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Session, User
from foundation import times
from tests.kit.users import PASSWORD

USERS, SESSIONS = "/admin/accounts/user/", "/admin/accounts/session/"


def add_users(count: int) -> list[User]:
    users = []
    for number in range(count):
        name = f"someone{User.objects.count()}_{number}"
        users.append(
            User.objects.create_user(username=name, email=f"{name}@example.com", display_name="Ünal")
        )
        expires_at = times.now() + timedelta(days=1)
        Session.objects.create(
            user=users[-1], refresh_jti="secret-jti", expires_at=expires_at, ip="192.0.2.7"
        )
    return users


@pytest.mark.parametrize("path", [USERS, SESSIONS])
def test_list_when_it_has_more_rows_then_needs_no_more_queries(browser: Client, path: str) -> None:
    counts = []
    for more in (1, 9):
        add_users(more)
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(path).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 8


def test_pages_when_opened_then_show_no_hash_and_no_token(browser: Client, root: User) -> None:
    user = add_users(1)[0]
    user.set_password(PASSWORD)
    user.save()
    session = Session.objects.get()
    for path in (USERS, f"{USERS}{user.pk}/change/", SESSIONS, f"{SESSIONS}{session.pk}/change/"):
        page = browser.get(path)
        assert page.status_code == 200
        assert "argon2" not in page.text
        assert "secret-jti" not in page.text
        assert user.password not in page.text


@pytest.mark.parametrize(
    ("path", "term", "found"),
    [
        (USERS, "SOMEONE1", 1),
        (USERS, "ünal", 3),
        (USERS, "someone1_0@EXAMPLE", 1),
        (USERS, "omeone", 0),
        (USERS, "%", 0),
        (SESSIONS, "someone", 3),
        (SESSIONS, "192.0.2.7", 3),
        (SESSIONS, "192.0.2", 0),
    ],
)
def test_search_when_a_term_is_typed_then_finds_by_the_beginning(
    browser: Client, path: str, term: str, found: int
) -> None:
    add_users(3)
    assert browser.get(path, {"q": term}).context["cl"].result_count == found


@pytest.mark.parametrize("filters", [{"is_active__exact": "1"}, {"is_staff__exact": "0"}])
def test_list_when_filtered_then_it_answers(browser: Client, filters: dict[str, str]) -> None:
    assert browser.get(USERS, filters).status_code == 200
    assert browser.get(SESSIONS, {"revoked_at__isempty": "1"}).status_code == 200


def test_user_when_renamed_then_is_found_by_the_new_name(browser: Client) -> None:
    user = add_users(1)[0]
    form = {"display_name": "New Name", "avatar_url": ""}
    assert browser.post(f"{USERS}{user.pk}/change/", form).status_code == 302
    user.refresh_from_db()
    assert (user.display_name, user.display_name_key) == ("New Name", "new name")


@pytest.mark.parametrize("name", ["\u3164", "two\u2028lines", "\u202eevil"])
def test_user_when_renamed_to_no_name_then_the_old_one_stays(browser: Client, name: str) -> None:
    user = add_users(1)[0]
    answer = browser.post(f"{USERS}{user.pk}/change/", {"display_name": name, "avatar_url": ""})
    (shown,) = get_messages(answer.wsgi_request)
    assert "displayName:" in str(shown)
    assert User.objects.get(pk=user.pk).display_name == user.display_name


def test_user_when_edited_by_staff_then_privileges_stay(root: User) -> None:
    staff = add_users(1)[0]
    staff.is_staff = True
    staff.save()
    permissions = Permission.objects.filter(content_type__app_label="accounts", content_type__model="user")
    staff.user_permissions.set(permissions)
    client = Client(SERVER_NAME="localhost")
    client.force_login(staff)
    form = {"display_name": "S", "is_superuser": "on", "is_staff": "on", "is_active": "on", "password": "x"}
    assert client.post(f"{USERS}{staff.pk}/change/", form).status_code == 302
    staff.refresh_from_db()
    assert (staff.display_name, staff.is_superuser) == ("S", False)


@pytest.mark.parametrize("path", [f"{USERS}add/", f"{SESSIONS}add/"])
def test_add_page_when_opened_then_it_is_forbidden(browser: Client, path: str) -> None:
    assert browser.get(path).status_code == 403


def test_action_when_staff_may_only_view_then_nothing_changes(root: User) -> None:
    staff, victim = add_users(2)
    staff.is_staff = True
    staff.save()
    staff.user_permissions.set(Permission.objects.filter(codename="view_user"))
    client = Client(SERVER_NAME="localhost")
    client.force_login(staff)
    client.post(USERS, {"action": "deactivate", "_selected_action": str(victim.pk)})
    victim.refresh_from_db()
    assert victim.is_active
