"""/metrics of two processes, and of two workers behind one port, compared with the counts of clients."""

from collections import Counter
from collections.abc import Callable, Iterable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

MESSAGES = 12


def scrape(servers: Iterable[ChatServer]) -> Counter[str]:
    """The sums of all samples of all targets, by name and labels."""
    sums: Counter[str] = Counter()
    for server in servers:
        with server.http() as http:
            answer = http.get("/metrics")
        assert answer.status_code == 200
        for family in text_string_to_metric_families(answer.text):
            for sample in family.samples:
                labels = "".join(f"{{{value}}}" for _, value in sorted(sample.labels.items()))
                sums[sample.name + labels] += sample.value
    return sums


async def talk(alice: ChatUser, bob: ChatUser) -> Counter[str]:
    """Send by socket and REST, one message twice. Returns the clients' counts by metric."""
    room = alice.make_room(bob)
    async with alice.connect() as a, bob.connect() as b:
        for number in range(MESSAGES - 1):
            body = {"roomId": room, "content": f"m{number}", "clientMessageId": f"c{number}"}
            await a.reply("message:send", body)
        repeated = await a.reply("message:send", {"roomId": room, "content": "m0", "clientMessageId": "c0"})
        assert repeated["duplicate"]
        bob.send(room, "by REST")
        await b.error("message:send", {"roomId": room, "content": " "})
        received = 0
        for socket in (a, b):
            for _ in range(MESSAGES):
                await socket.expect("message:receive")
                received += 1
        sockets = scrape_sockets(alice, bob)
    return Counter(
        {
            "chat_messages_in_total": MESSAGES + 1,
            "chat_messages_stored_total": MESSAGES,
            "chat_messages_duplicate_total": 1,
            "chat_messages_delivered_total": received,
            "chat_events_total{message:send}{ok}": MESSAGES,
            "chat_events_total{message:send}{invalid}": 1,
            "chat_batch_size_sum": MESSAGES + 1,
            "chat_sockets": sockets,
        }
    )


def scrape_sockets(*users: ChatUser) -> float:
    """The sockets when all are counted. Each process and worker shows its page for a second to all who ask."""
    servers = {user.server.port: user.server for user in users}
    seen: list[float] = []

    def are_counted() -> bool:
        seen.append(scrape(servers.values())["chat_sockets"])
        return seen[-1] == len(users)

    users[0].server.wait_until(are_counted, "the sockets to be counted")
    return seen[-1]


@pytest.fixture
def shared(redis_server: RedisServer, tmp_path: object) -> dict[str, str]:
    return {"REDIS_URL": redis_server.url, "DATA_DIR": str(tmp_path)}


async def test_processes_when_scraped_then_sums_are_what_clients_counted(
    start_server: Callable[..., ChatServer], shared: dict[str, str]
) -> None:
    servers = [start_server(**shared), start_server(**shared)]
    alice, bob = servers[0].sign_up(), servers[0].sign_up().on(servers[1])
    before = scrape(servers)
    seen = await talk(alice, bob)
    assert seen.pop("chat_sockets") == 2
    servers[0].wait_until(lambda: scrape(servers)["chat_sockets"] == 0, "the end of the sockets")
    after = scrape(servers)
    assert {name: after[name] - before[name] for name in seen} == dict(seen)
    assert after["chat_socket_closes_total{1000}"] == 2
    assert after["chat_commit_seconds_count"] >= 1
    assert after["chat_delivery_seconds_count"] > before["chat_delivery_seconds_count"]


async def test_workers_when_any_is_scraped_then_it_answers_for_all(
    start_server: Callable[..., ChatServer], shared: dict[str, str]
) -> None:
    server = start_server(WORKERS="2", **shared)
    alice, bob = server.sign_up(), server.sign_up()
    before = scrape([server])
    seen = await talk(alice, bob)
    assert seen.pop("chat_sockets") == 2
    server.wait_until(lambda: scrape([server])["chat_sockets"] == 0, "the end of the sockets")
    for _ in range(4):
        server.wait_until(lambda: _counts(server, before, seen) == dict(seen), "any worker to count all")


def _counts(server: ChatServer, before: Counter[str], seen: Counter[str]) -> dict[str, float]:
    after = scrape([server])
    return {name: after[name] - before[name] for name in seen}


def test_online_users_when_nobody_is_connected_then_zero_is_shown(server: ChatServer) -> None:
    assert "chat_users_online" in scrape([server])
