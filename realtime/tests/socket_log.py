"""What the log says about sockets that have ended."""

from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser
from tests.kit.waiting import until


async def until_logged(server: ChatServer, user: ChatUser, status: int, route: str = "ws/chat/") -> None:
    """Wait for the access record of a socket of the user that ended with this close code."""

    async def holds() -> bool:
        wanted = (route, user.id, status)
        return wanted in [
            (record.get("route"), record.get("userId"), record.get("status"))
            for record in server.log_records()
        ]

    await until(holds, f"the log has the status {status}")
