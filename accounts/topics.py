"""Addresses under which the hub finds the connections of a user and of a session."""

from uuid import UUID


def user_address(user_id: UUID | str) -> str:
    """Every socket of the user, on all devices."""
    return f"user.{user_id}"


def session_address(session_id: UUID | str) -> str:
    """Every socket that was opened with an access token of the session."""
    return f"session.{session_id}"
