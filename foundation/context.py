"""Who and what the running code works for, so that every log record can say so.

Knows context variables only; must not know requests or sockets, which set them.
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
    """The fields of the current context that are set, by their names in the log."""
    return {name: value for name, variable in LOG_FIELDS.items() if (value := variable.get()) is not None}
