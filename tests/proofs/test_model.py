"""The model test: random steps of three users in a room, compared with a small reference in memory.

Every answer has to be the one of the model, and an old snapshot with the events since then has to equal a fresh
snapshot. The suite runs the same 25 examples each time, in about 20 seconds of a core.
`make model EXAMPLES=500 PROCESSES=2` runs random ones.
"""

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.kit.redis_servers import RedisServer
from tests.kit.servers import ChatServer, chat_servers
from tests.kit.users import ChatUser

from .room_play import Play

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "0"))
PROCESSES = int(os.environ.get("MODEL_PROCESSES", "1"))
# User 0 owns the room and stays in it; 1 and 2 join and leave.
USERS = 3

user = st.integers(0, USERS - 1)
guest = st.integers(1, USERS - 1)
text = st.sampled_from(["one", "two", "drei <b>&", "\U0001f600 4"])
key = st.sampled_from([None, "k1", "k2", "k3"])
# A message, modulo the number of messages.
place = st.integers(0, 30)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), user, key, text),
        st.tuples(st.just("send"), user, key, text),
        st.tuples(st.just("send_at_once"), st.lists(user, min_size=2, max_size=6), text),
        st.tuples(st.just("send_twice_at_once"), user, st.sampled_from(["k1", "k4"]), text),
        st.tuples(st.just("edit"), user, place, text),
        st.tuples(st.just("delete"), user, place),
        st.tuples(st.just("ack"), user, place, st.sampled_from(["delivered", "read"])),
        st.tuples(st.just("rename"), user, text),
        st.tuples(st.just("add"), user, guest),
        st.tuples(st.just("remove"), user, guest),
        st.tuples(st.just("set_role"), guest, st.sampled_from(["admin", "member"])),
        st.tuples(st.just("disconnect"), user),
        st.tuples(st.just("reconnect"), user),
        st.tuples(st.just("look")),
    ),
    min_size=10,
    max_size=30,
)


@pytest.fixture(scope="module")
def servers(request: pytest.FixtureRequest) -> Iterator[list[ChatServer]]:
    if PROCESSES == 1:
        yield [request.getfixturevalue("server")]
        return
    redis: RedisServer = request.getfixturevalue("redis_server")
    with chat_servers(PROCESSES, REDIS_URL=redis.url) as several:
        yield several


@pytest.fixture(scope="module")
def users(servers: list[ChatServer]) -> list[ChatUser]:
    found = [servers[0].sign_up() for _ in range(USERS)]
    return [user.on(servers[number % len(servers)]) for number, user in enumerate(found)]


@pytest.mark.slow
@pytest.mark.timeout(max(400, EXAMPLES * 20))
@settings(
    max_examples=EXAMPLES or 25,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    # Shrinking takes minutes, so the suite does without it.
    phases=(Phase.generate, Phase.shrink) if EXAMPLES else (Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
@given(steps=STEPS)
def test_room_when_any_steps_run_then_events_lead_to_a_fresh_snapshot(
    users: list[ChatUser], steps: list[tuple[Any, ...]]
) -> None:
    asyncio.run(Play(users).run(steps))
