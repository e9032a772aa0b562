"""Bad tokens over REST and sockets, and the keys of valid ones."""

import jwt
import pytest
from django.test import override_settings
from websockets.asyncio.client import connect

from accounts import tokens
from accounts.keys import get_key_ring
from accounts.models import Session, User
from foundation import times
from foundation.errors import Unauthenticated
from tests.kit.clients import ChatSocketClient
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

from .forge import bad_access_tokens

PROTECTED = [
    ("GET", "/api/auth/sessions"),
    ("DELETE", "/api/auth/sessions/01900000-0000-7000-8000-000000000000"),
    ("POST", "/api/auth/password"),
    ("GET", "/api/users/me"),
    ("PATCH", "/api/users/me"),
    ("GET", "/api/users"),
    ("GET", "/api/users/01900000-0000-7000-8000-000000000000"),
]


@pytest.mark.parametrize(("method", "path"), PROTECTED)
def test_request_when_without_a_token_then_is_unauthenticated(
    server: ChatServer, method: str, path: str
) -> None:
    for headers in ({}, {"Authorization": "Bearer"}, {"Authorization": "Basic YTpi"}):
        answer = server.http(**headers).request(
            method, path, json={} if method in ("POST", "PATCH") else None
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_request_when_the_token_is_bad_then_names_the_reason(alice: ChatUser) -> None:
    wrong = {}
    for kind, (token, code) in bad_access_tokens(alice).items():
        for accept in ("application/json", "text/html"):
            headers = {"Authorization": f"Bearer {token}", "Accept": accept}
            answer = alice.server.http(**headers).get("/api/users/me")
            if answer.status_code != 401 or code not in answer.text:
                wrong[kind, accept] = f"{answer.status_code} {answer.text[:200]}"
    assert wrong == {}


async def test_socket_when_the_token_is_bad_then_is_closed_with_4401(alice: ChatUser) -> None:
    wrong = {}
    for kind, (token, code) in bad_access_tokens(alice).items():
        headers = {"Authorization": f"Bearer {token}"}
        async with connect(alice.server.ws_url, additional_headers=headers) as ws:
            client = ChatSocketClient(ws)
            if await client.close_code() != 4401 or client.frames or ws.close_reason != code:
                wrong[kind] = (client.frames, ws.close_code, ws.close_reason)
    assert wrong == {}


async def test_socket_when_without_a_token_then_is_closed_with_4401(server: ChatServer) -> None:
    async with connect(server.ws_url) as ws:
        assert await ChatSocketClient(ws).close_code() == 4401


def make_pair() -> tokens.TokenPair:
    user = User.objects.build(username="keys", email="keys@example.com")
    session = Session(user=user, refresh_jti="", expires_at=times.now())
    return tokens.token_pair(tokens.new_refresh_token(), session)


def test_key_when_moved_to_the_fallbacks_then_its_tokens_are_valid() -> None:
    with override_settings(SECRET_KEY="a" * 50, SECRET_KEY_FALLBACKS=[]):
        old = make_pair()
    with override_settings(SECRET_KEY="b" * 50, SECRET_KEY_FALLBACKS=["a" * 50]):
        assert tokens.verify_access(old.access_token)
        assert tokens.verify_refresh(old.refresh_token)
        new = make_pair()
    assert (
        jwt.get_unverified_header(new.access_token)["kid"]
        != jwt.get_unverified_header(old.access_token)["kid"]
    )
    with override_settings(SECRET_KEY="b" * 50, SECRET_KEY_FALLBACKS=[]):
        assert tokens.verify_access(new.access_token)
        with pytest.raises(Unauthenticated):
            tokens.verify_access(old.access_token)


def test_tokens_when_in_a_traceback_then_show_no_secret() -> None:
    pair, ring = make_pair(), get_key_ring()
    assert pair.access_token not in repr(pair)
    assert pair.refresh_token not in repr(pair)
    assert repr(ring.active.secret) not in repr(ring)


def test_tokens_when_of_two_sessions_then_all_differ() -> None:
    one, other = make_pair(), make_pair()
    assert len({one.access_token, one.refresh_token, other.access_token, other.refresh_token}) == 4
