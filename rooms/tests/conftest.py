"""What room tests share: a way to deactivate users, as an operator at a shell does."""

from collections.abc import Callable

import pytest

from realtime.testing import ChatServer, ChatUser

DEACTIVATE = """
from accounts.services import deactivate_user
from realtime import loop
loop.call(deactivate_user(user_id="{user_id}"))
"""


@pytest.fixture(scope="session")
def deactivate(server: ChatServer) -> Callable[[ChatUser], None]:
    """Ends an account for good."""

    def run(user: ChatUser) -> None:
        server.manage("shell", "-v0", "-c", DEACTIVATE.format(user_id=user.id))

    return run


@pytest.fixture(scope="session")
def gone(server: ChatServer, deactivate: Callable[[ChatUser], None]) -> ChatUser:
    user = server.sign_up("gone")
    deactivate(user)
    return user
