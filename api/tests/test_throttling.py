"""REST limits: all processes share them in Redis, and each process counts by itself while Redis is away."""

import httpx

from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer


def statuses(server: ChatServer, tries: int) -> list[int]:
    body = {"email": "nobody@example.com", "password": "wrong"}
    with server.http() as http:
        return [http.post("/api/auth/login", json=body).status_code for _ in range(tries)]


def test_login_limit_when_two_processes_count_then_they_share_it(
    start_server, redis_server: RedisServer
) -> None:
    settings = {"RATE_LIMITS": "on", "LIMIT_LOGIN_ACCOUNT": "4/1d", "REDIS_URL": redis_server.url}
    one = start_server(**settings)
    two = start_server(**settings, DATA_DIR=str(one.folder))
    assert statuses(one, 2) + statuses(two, 4) == [401, 401, 401, 401, 429, 429]


def test_limits_when_redis_is_away_then_each_process_counts_at_once(start_server) -> None:
    redis = RedisServer()
    chat = start_server(
        RATE_LIMITS="on", LIMIT_LOGIN_ACCOUNT="3/1d", LIMIT_REST_USER="3/1d", REDIS_URL=redis.start()
    )
    user = chat.sign_up()
    redis.stop()
    try:
        assert statuses(chat, 5) == [401, 401, 401, 429, 429]
        answers = [user.http.get("/api/users/me") for _ in range(5)]
    except httpx.TimeoutException:
        raise AssertionError("a request waited for a Redis that is away") from None
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert answers[-1].json()["error"]["code"] == "rate_limited"
