"""How long a login of the desk lasts, and what ends it."""

import time
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client

from accounts import services, sessions
from accounts.models import User
from foundation import loop, times
from moderation.desk.cookies import SEEN


def is_in(browser: Client) -> bool:
    return browser.get("/admin/").status_code == 200


def set_seen(browser: Client, seconds_ago: int) -> None:
    session = browser.session
    session[SEEN] = int(time.time()) - seconds_ago
    session.save()


def test_cookie_when_not_used_for_long_then_ends(browser: Client) -> None:
    set_seen(browser, settings.ADMIN_IDLE_SECONDS - 60)
    assert is_in(browser)
    # The request counts as use.
    assert time.time() - browser.session[SEEN] < 60
    set_seen(browser, settings.ADMIN_IDLE_SECONDS + 60)
    assert not is_in(browser)
    assert not is_in(browser)


def test_cookie_when_used_all_the_time_then_ends_all_the_same(browser: Client) -> None:
    began = times.now()
    limit = timedelta(seconds=settings.ADMIN_SESSION_SECONDS)
    assert limit < timedelta(hours=12)
    set_seen(browser, settings.ADMIN_IDLE_SECONDS - 60)
    assert is_in(browser)
    assert browser.session.get_expiry_date() <= began + limit
    session = browser.session
    session.set_expiry(times.now() - timedelta(seconds=1))
    session.save()
    assert not is_in(browser)


def test_cookie_when_of_an_older_release_then_ends(browser: Client) -> None:
    session = browser.session
    del session[SEEN]
    session.save()
    assert not is_in(browser)


@pytest.mark.smoke
def test_cookie_when_all_sessions_are_ended_then_ends_too(browser: Client, root: User) -> None:
    assert is_in(browser)
    loop.call(sessions.end_user_sessions(user_id=root.pk))
    assert not is_in(browser)


def test_cookie_when_reactivated_then_stays_ended(browser: Client, root: User) -> None:
    User.objects.create_superuser(username="second", email="second@example.com")
    loop.call(services.deactivate_user(user_id=root.pk))
    loop.call(services.reactivate_user(user_id=root.pk))
    assert not is_in(browser)


def test_cookie_when_the_password_is_set_in_a_shell_then_ends(browser: Client, root: User) -> None:
    root.set_password("entirely other words 7")
    root.save()
    assert not is_in(browser)


def test_cookie_when_logged_out_then_it_is_recorded(
    browser: Client, caplog: pytest.LogCaptureFixture
) -> None:
    browser.post("/admin/logout/")
    assert not is_in(browser)
    assert "desk logout" in str([record.__dict__.get("detail") for record in caplog.records])
