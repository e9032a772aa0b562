"""The client behind the proxies: headers of a trusted proxy are believed, and those of a stranger are not."""

import json

import pytest

from foundation.proxies import TrustedProxies
from tests.kit.servers import ChatServer

STRANGER = "203.0.113.9"


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded_for", "client"),
    [
        ("", "198.51.100.1", [STRANGER], "198.51.100.1"),
        ("1", "10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("1", "10.0.0.1", [STRANGER, "198.51.100.1"], "198.51.100.1"),
        ("2", "10.0.0.1", [STRANGER, "198.51.100.1", "10.0.0.2"], "198.51.100.1"),
        ("2", "10.0.0.1", ["198.51.100.1"], "10.0.0.1"),
        ("1", "10.0.0.1", ["nonsense"], "10.0.0.1"),
        ("1", "10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("1", "10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("1", "10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("1", None, ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.0/8", "10.0.0.1", [STRANGER, "198.51.100.1", "10.0.0.2"], "198.51.100.1"),
        ("10.0.0.0/8", "198.51.100.1", [STRANGER], "198.51.100.1"),
        ("10.0.0.0/8, fd00::/8", "fd00::1", ["198.51.100.1", "10.1.1.1"], "198.51.100.1"),
        ("10.0.0.0/8", "10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.0/8", "10.0.0.1", ["198.51.100.1", "nonsense"], "10.0.0.1"),
    ],
)
def test_client_of_when_forwarded_then_believes_trusted_proxies_only(
    trusted: str, peer: str | None, forwarded_for: list[str], client: str
) -> None:
    assert TrustedProxies.parse(trusted).client_of(peer, forwarded_for)[0] == client


@pytest.mark.parametrize("text", ["two", "-1", "10.0.0.1/8", "10.0.0.0/40"])
def test_parse_when_it_is_neither_a_number_nor_networks_then_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"appear to be|host bits"):
        TrustedProxies.parse(text)


def test_request_when_no_proxy_is_trusted_then_headers_change_nothing(server: ChatServer) -> None:
    user = server.sign_up()
    forged = {"X-Forwarded-For": STRANGER, "X-Request-ID": "forged-request-id", "X-Forwarded-Proto": "https"}
    with server.http(user, **forged) as http:
        answer = http.get("/api/auth/sessions")
    assert answer.headers["X-Request-ID"] != "forged-request-id"
    assert [session["ip"] for session in answer.json()["results"]] == ["127.0.0.1"]
    assert STRANGER not in server.log.read_text()


async def test_request_when_a_proxy_is_trusted_then_the_client_is_its_client(
    start_server,
) -> None:
    chat = start_server(TRUSTED_PROXIES="127.0.0.0/8", RATE_LIMITS="on", LIMIT_SIGNUP_IP="1/1d")
    body = {"username": "proxied", "email": "proxied@example.com", "password": "correct horse battery staple"}
    with chat.http(
        **{"X-Forwarded-For": f"{STRANGER}, 198.51.100.1", "X-Request-ID": "trusted-request-id"}
    ) as http:
        answer = http.post("/api/auth/signup", json=body)
        assert answer.status_code == 201
        assert answer.headers["X-Request-ID"] == "trusted-request-id"
        token = answer.json()["accessToken"]
        session = http.get("/api/auth/sessions", headers={"Authorization": f"Bearer {token}"}).json()[
            "results"
        ]
        assert [one["ip"] for one in session] == ["198.51.100.1"]
        second = http.post(
            "/api/auth/signup", json={**body, "username": "second", "email": "second@example.com"}
        )
        assert second.status_code == 429
    with chat.http(**{"X-Forwarded-For": "198.51.100.2"}) as http:
        third = http.post(
            "/api/auth/signup", json={**body, "username": "third", "email": "third@example.com"}
        )
        assert third.status_code == 201
    logged = {record.get("ip") for record in chat.log_records() if record["logger"] == "chat.access"}
    assert {"198.51.100.1", "198.51.100.2"} <= logged
    assert STRANGER not in json.dumps(chat.log_records())
