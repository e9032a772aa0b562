"""Fixtures of the room tests: users deactivated by an operator, and a hub in the process of the test."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from accounts.models import User
from foundation import loop
from realtime.hub.hub import Hub, get_hub
from rooms.models import Membership, Room
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

ACCOUNT = """
from uuid import UUID
from accounts.services import {service}
from foundation import loop
loop.call({service}(user_id=UUID("{user_id}")))
"""


@pytest.fixture(scope="session")
def deactivate(server: ChatServer) -> Callable[[ChatUser], None]:
    """Deactivates an account."""

    def run(user: ChatUser) -> None:
        server.manage("shell", "-v0", "-c", ACCOUNT.format(service="deactivate_user", user_id=user.id))

    return run


@pytest.fixture(scope="session")
def gone(server: ChatServer, deactivate: Callable[[ChatUser], None]) -> ChatUser:
    user = server.sign_up("gone")
    deactivate(user)
    return user


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    loop.adopt()
    yield get_hub()
    await loop.stop()


@pytest.fixture
def members(transactional_db: Any) -> tuple[Room, list[User]]:
    room = Room.objects.create(name="x")
    users = [User.objects.create_user(username=name, email=f"{name}@example.com") for name in ("ann", "ben")]
    Membership.objects.bulk_create([Membership(room=room, user=user) for user in users])
    return room, users
