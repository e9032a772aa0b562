"""Makes tokens that the server must refuse."""

import base64
import json
import time
from functools import cache
from typing import Any

import jwt

from accounts.keys import SigningKey
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

SHOW_KEY = """
from accounts import keys
keys.get_seeds().reread()
print(keys.get_key_ring().active.kid, keys.get_key_ring().active.secret.hex())
"""


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def session_id_of(user: ChatUser) -> str:
    return str(claims_of(user.access_token)["sid"])


@cache
def active_key(server: ChatServer) -> SigningKey:
    """The key that the server signs with now."""
    kid, secret = server.manage("shell", "-v0", "-c", SHOW_KEY).stdout.split()
    return SigningKey(kid, bytes.fromhex(secret))


def sign(user: ChatUser, **claims: Any) -> str:
    """A token signed with the server's key. It has the user's claims, changed by `claims`; None removes a claim."""
    key = active_key(user.server)
    payload = {
        name: value for name, value in (claims_of(user.access_token) | claims).items() if value is not None
    }
    return jwt.encode(payload, key.secret, algorithm="HS256", headers={"kid": key.kid})


def bad_access_tokens(user: ChatUser) -> dict[str, tuple[str, str]]:
    """Bad access tokens with their error codes, by kind."""
    header, payload, signature = user.access_token.split(".")
    kid = jwt.get_unverified_header(user.access_token)["kid"]
    claims = claims_of(user.access_token)
    key = "k" * 64
    forged = {
        "other key": jwt.encode(claims, key, algorithm="HS256", headers={"kid": kid}),
        "unknown kid": jwt.encode(claims, key, algorithm="HS256", headers={"kid": "nobody"}),
        "no kid": jwt.encode(claims, key, algorithm="HS256"),
        "alg none": jwt.encode(claims, None, algorithm="none", headers={"kid": kid}),
        "alg none with the old signature": f"{_part({'alg': 'none', 'kid': kid})}.{payload}.{signature}",
        "alg none in other case": f"{_part({'alg': 'nOnE', 'kid': kid})}.{payload}.",
        "kid that is a list": f"{_part({'alg': 'HS256', 'kid': [kid]})}.{payload}.{signature}",
        "other payload": f"{header}.{_part(claims | {'sub': 'x'})}.{signature}",
        "cut": user.access_token[:-2],
        "no token": "abc",
        "nested header": f"{base64.urlsafe_b64encode(b'[' * 1200).decode()}.e30.x",
        "very long": "a" * 5000,
        "refresh token": user.refresh_token,
        "type missing": sign(user, token_type=None),
        "session missing": sign(user, sid=None),
        "subject that is no id": sign(user, sub="1"),
        "session that is no more": sign(user, sid="01900000-0000-7000-8000-000000000000"),
        "no expiry": sign(user, exp=None),
    }
    bad = {name: (token, "unauthenticated") for name, token in forged.items()}
    return bad | {"expired": (sign(user, exp=int(time.time()) - 1), "token_expired")}


def _part(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()
