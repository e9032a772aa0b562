"""Logins at the desk and changes of one's password there: the limits and threads of the API, and the records."""

from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest
from django.test import Client

from accounts import passwords, sessions
from accounts.models import Session, User
from foundation import loop
from foundation.limits.named import PASSWORD_SESSION
from foundation.limits.rates import Rate
from tests.kit.servers import ChatServer
from tests.kit.users import PASSWORD

from .moderator import text_of

LOGIN, OWN_PASSWORD = "/admin/login/", "/admin/password_change/"
NEW_PASSWORD = "entirely other words 7"


def log_in(server: ChatServer, login: str, password: str) -> httpx.Response:
    with server.http() as http:
        cookies = SimpleCookie(http.get(LOGIN).headers["set-cookie"])
        token = cookies["__Host-csrf"].value
        form = {"username": login, "password": password, "csrfmiddlewaretoken": token}
        return http.post(LOGIN, data=form, headers={"Cookie": f"__Host-csrf={token}"})


def events(server: ChatServer, action: str) -> list[str]:
    return [line for line in server.log.read_text().splitlines() if f'"action": "{action}"' in line]


@pytest.mark.smoke
def test_login_when_guessed_then_the_desk_and_the_api_count_together(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server(RATE_LIMITS="on", LIMIT_LOGIN_ACCOUNT="3/1d", LIMIT_LOGIN_IP="100/1d")
    server.env["DJANGO_SUPERUSER_PASSWORD"] = PASSWORD
    server.manage("createsuperuser", "--noinput", "--username=Boss", "--email=boss@example.com")
    guess = {"email": "boss@example.com", "password": "a guess"}
    assert server.http().post("/api/auth/login", json=guess).status_code == 401
    refused = log_in(server, "BOSS", "a guess")
    assert (refused.status_code, "Please enter the correct" in refused.text) == (200, True)
    assert log_in(server, "boss@example.com", PASSWORD).status_code == 302
    limited = log_in(server, "Boss", PASSWORD)
    assert limited.status_code == 429
    assert 60 < int(limited.headers["Retry-After"]) <= 86_400
    assert "Too many attempts. Wait for" in text_of(limited.text)
    assert server.http().post("/api/auth/login", json=guess).status_code == 429
    # Another account may still be tried from here.
    assert log_in(server, "somebody", PASSWORD).status_code == 200
    outcomes = [line.split('"outcome": "')[1].split('"')[0] for line in events(server, "desk_login")]
    assert outcomes == ["refused", "ok", "limited", "refused"]
    assert not [line for line in events(server, "desk_login") if "boss" in line.lower() or PASSWORD in line]


def test_login_when_too_many_wait_then_the_form_says_so(
    browser: Client, root: User, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.RATE_LIMITS = False
    monkeypatch.setattr(passwords.get_hash_pool(), "_max_waiting", 0)
    form = {"username": root.email, "password": PASSWORD}
    answer = Client(SERVER_NAME="localhost").post(LOGIN, form)
    assert (answer.status_code, "Too many logins at once." in answer.text) == (503, True)


def test_login_when_not_staff_then_no_page_says_the_password_is_right(
    root: User, caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    settings.RATE_LIMITS = False
    User.objects.create_user(username="ann", email="ann@example.com", password=PASSWORD)
    pages = [
        Client(SERVER_NAME="localhost").post(LOGIN, {"username": "ann", "password": password})
        for password in (PASSWORD, "wrong")
    ]
    errors = [page.context["form"].non_field_errors() for page in pages]
    assert errors[0] == errors[1]
    assert "not_staff" in str([record.__dict__.get("detail") for record in caplog.records])


@pytest.mark.smoke
def test_own_password_when_changed_then_other_logins_end_and_this_goes_on(
    browser: Client, root: User
) -> None:
    other = Client(SERVER_NAME="localhost")
    other.force_login(root)
    loop.call(sessions.open_session(user=root, ip="192.0.2.1", user_agent="test"))
    form = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    assert browser.post(OWN_PASSWORD, form).status_code == 302
    assert browser.get("/admin/").status_code == 200
    assert other.get("/admin/").status_code == 302
    assert not Session.objects.filter(revoked_at=None).exists()
    root.refresh_from_db()
    assert root.check_password(NEW_PASSWORD)


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"old_password": "wrong"}, "This is not your password."),
        ({"new_password1": "12345678", "new_password2": "12345678"}, "too common"),
        ({"new_password2": "another"}, "match"),
        ({"new_password1": "x" * 300, "new_password2": "x" * 300}, "at most 256"),
    ],
)
def test_own_password_when_refused_then_the_page_says_why_and_it_stays(
    browser: Client, root: User, form: dict[str, str], problem: str
) -> None:
    usual = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    answer = browser.post(OWN_PASSWORD, usual | form)
    assert answer.status_code == 200
    assert problem in text_of(answer.text)
    assert User.objects.get().password == root.password


def test_own_password_when_guessed_then_it_is_limited(browser: Client, root: User, settings: Any) -> None:
    settings.RATE_LIMITS = True
    settings.RATES = {**settings.RATES, PASSWORD_SESSION.variable: Rate.parse("1/1d")}
    form = {"old_password": "wrong", "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    assert browser.post(OWN_PASSWORD, form).status_code == 200
    limited = browser.post(OWN_PASSWORD, form | {"old_password": PASSWORD})
    assert limited.status_code == 429
    assert 60 < int(limited["Retry-After"]) <= 86_400
    assert User.objects.get().password == root.password
