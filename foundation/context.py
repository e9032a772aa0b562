"""The request, connection, user and address that the running code works for. Every log record has them.

Requests and sockets set these variables; this module only defines them.
"""

from contextvars import ContextVar

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
connection_id: ContextVar[str | None] = ContextVar("connection_id", default=None)
user_id: ContextVar[str | None] = ContextVar("user_id", default=None)
client_ip: ContextVar[str | None] = ContextVar("client_ip", default=None)

LOG_FIELDS: dict[str, ContextVar[str | None]] = {
    "requestId": request_id,
    "connectionId": connection_id,
    "userId": user_id,
    "ip": client_ip,
}


def log_fields() -> dict[str, str]:
    """The fields that are set in the current context, by their names in the log: `{"requestId": "r1"}`."""
    return {name: value for name, variable in LOG_FIELDS.items() if (value := variable.get()) is not None}
