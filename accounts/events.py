"""The shapes of this app's socket events."""

from typing import Annotated

import msgspec

from realtime.wire.protocol import Wire

from .tokens import MAX_TOKEN_CHARS


class RefreshAuth(Wire):
    token: Annotated[str, msgspec.Meta(max_length=MAX_TOKEN_CHARS)]


class AuthRefreshed(Wire):
    expires_at: str


class Pong(Wire):
    server_time: str
