"""Who is behind a request: the client's address, and the user that was authenticated."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from rest_framework.request import Request


def client_address(meta: Mapping[str, Any]) -> str:
    return str(meta.get("REMOTE_ADDR") or "unknown")


def user_id_of(request: Request) -> UUID:
    """The id of the user who asks; for views that only the authenticated reach."""
    user_id: UUID | None = request.user.pk
    assert user_id is not None, "this view lets anonymous requests in"
    return user_id
