"""On whom staff may act: on users; only superusers act on staff, and nobody on the last superuser."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from accounts import sessions
from accounts.models import Session, User
from foundation import loop
from foundation.errors import Conflict, Forbidden
from moderation import services
from moderation.models import AuditEntry
from moderation.services import Case

Act = Callable[[Case, User], Coroutine[Any, Any, None]]

USERS = "/admin/accounts/user/"
RANKS: dict[str, dict[str, bool]] = {
    "user": {},
    "staff": {"is_staff": True},
    "superuser": {"is_staff": True, "is_superuser": True},
    # Staff no more, and one who could be made so again.
    "former": {"is_superuser": True},
}
ACTIONS: dict[str, Act] = {
    "deactivate": lambda case, user: services.deactivate_user(case=case, user_id=user.pk),
    "reactivate": lambda case, user: services.reactivate_user(case=case, user_id=user.pk),
    "end_sessions": lambda case, user: services.end_user_sessions(case=case, user_id=user.pk),
    "end_session": lambda case, user: services.end_session(
        case=case, user_id=user.pk, session_id=Session.objects.get(user=user).pk
    ),
    "edit": lambda case, user: services.change_account(
        case=case, user_id=user.pk, changes={"display_name": "X"}
    ),
}


def person(name: str, rank: str, *, active: bool = True) -> User:
    user = User.objects.create_user(
        username=name, email=f"{name}@example.com", is_active=active, **RANKS[rank]
    )
    permissions = Permission.objects.filter(content_type__app_label__in=("accounts", "auth"))
    if rank == "staff":
        user.user_permissions.set(permissions)
    return user


def case_of(user: User) -> Case:
    return Case(user.pk, user.username, reason="a test")


def with_session(user: User, name: str) -> User:
    if name == "end_session":
        loop.call(sessions.open_session(user=user, ip="192.0.2.1", user_agent="test"))
    return user


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("rank", ["staff", "superuser", "former"])
def test_staff_when_acting_on_staff_then_forbidden_and_unrecorded(
    root: User, rank: str, action: str, caplog: pytest.LogCaptureFixture
) -> None:
    moderator, target = person("moderator", "staff"), with_session(person("target", rank), action)
    with pytest.raises(Forbidden, match="Only a superuser"):
        loop.call(_act(action, moderator, target))
    assert not AuditEntry.objects.exists()
    assert Session.objects.filter(revoked_at__isnull=False).count() == 0
    (event,) = [one for one in caplog.records if one.__dict__.get("action") == "staff_action"]
    assert event.__dict__["outcome"] == "refused"


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    ("by", "rank"), [("staff", "user"), ("superuser", "staff"), ("superuser", "superuser")]
)
def test_moderator_when_acting_on_a_lower_rank_then_it_is_done(
    root: User, by: str, rank: str, action: str
) -> None:
    moderator = person("moderator", by)
    target = with_session(person("target", rank, active=action != "reactivate"), action)
    loop.call(_act(action, moderator, target))
    assert AuditEntry.objects.get().outcome == "done"


async def _act(action: str, moderator: User, target: User) -> None:
    from foundation.database import run_db

    work = await run_db(lambda: ACTIONS[action](case_of(moderator), target))
    await work


def test_staff_when_acting_on_themselves_then_only_what_is_harmless(root: User) -> None:
    moderator = person("moderator", "staff")
    case = case_of(moderator)
    loop.call(services.end_user_sessions(case=case, user_id=moderator.pk))
    loop.call(services.change_account(case=case, user_id=moderator.pk, changes={"display_name": "New"}))
    for forbidden in (
        services.deactivate_user(case=case, user_id=moderator.pk),
        services.change_account(case=case, user_id=moderator.pk, changes={"is_superuser": True}),
    ):
        with pytest.raises(Forbidden):
            loop.call(forbidden)


def test_moderator_when_no_longer_staff_then_a_running_request_is_refused(root: User) -> None:
    moderator, target = person("moderator", "staff"), person("target", "user")
    User.objects.filter(pk=moderator.pk).update(is_staff=False)
    with pytest.raises(Forbidden, match="no longer staff"):
        loop.call(services.deactivate_user(case=case_of(moderator), user_id=target.pk))


def test_page_when_staff_opens_that_of_staff_then_it_has_no_form(root: User) -> None:
    moderator, target = person("moderator", "staff"), person("target", "staff")
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(moderator)
    page = browser.get(f"{USERS}{target.pk}/change/")
    assert (page.status_code, 'name="display_name"' in page.text) == (200, False)
    browser.post(f"{USERS}{target.pk}/change/", {"display_name": "X"})
    assert User.objects.get(pk=target.pk).display_name == "target"


def test_rights_when_of_the_last_superuser_then_the_page_refuses(browser: Client, root: User) -> None:
    shown_before = {
        "initial-display_name": "Root",
        "initial-is_staff": "True",
        "initial-is_superuser": "True",
    }
    for rights in ({"is_staff": "on"}, {"is_superuser": "on"}, {}):
        form = {**shown_before, "display_name": "Root", **rights}
        shown = browser.post(f"{USERS}{root.pk}/change/", form, follow=True)
        assert "last superuser" in shown.text
    root.refresh_from_db()
    assert (root.is_active, root.is_staff, root.is_superuser) == (True, True, True)
    assert set(AuditEntry.objects.values_list("outcome", flat=True)) == {"done", "failed"}
    with pytest.raises(Conflict):
        loop.call(
            services.change_account(case=case_of(root), user_id=root.pk, changes={"is_superuser": False})
        )


def test_rights_when_the_form_is_old_then_it_does_not_give_them_back(browser: Client, root: User) -> None:
    target = person("target", "staff")
    path = f"{USERS}{target.pk}/change/"
    assert 'name="initial-is_staff"' in browser.get(path).text
    User.objects.filter(pk=target.pk).update(is_staff=False)
    # As a browser sends the form that was opened before.
    old = {"initial-display_name": "target", "initial-is_staff": "True", "initial-is_superuser": "False"}
    browser.post(path, {**old, "display_name": "New name", "is_staff": "on"})
    target.refresh_from_db()
    assert (target.display_name, target.is_staff) == ("New name", False)


def test_group_when_changed_then_by_superusers_only_and_recorded(browser: Client, root: User) -> None:
    permission = Permission.objects.get(codename="change_user")
    staff = Client(SERVER_NAME="localhost")
    staff.force_login(person("moderator", "staff"))
    form = {"name": "helpers", "permissions": [permission.pk]}
    assert staff.post("/admin/auth/group/add/", form).status_code == 403
    assert browser.post("/admin/auth/group/add/", form).status_code == 302
    group = Group.objects.get()
    path = f"/admin/auth/group/{group.pk}/"
    assert staff.get(f"{path}change/").status_code == 200
    assert staff.post(f"{path}change/", {"name": "others"}).status_code == 403
    assert browser.post(f"{path}change/", {"name": "others"}).status_code == 302
    assert browser.post(f"{path}delete/", {"post": "yes"}).status_code == 302
    entries = AuditEntry.objects.order_by("seq")
    assert [entry.action for entry in entries] == ["add_group", "change_group", "delete_group"]
    assert entries[0].details == {"permissions": [str(permission)]}
