"""The reference client: how to talk to the chat backend and lose nothing (docs/protocol.md)."""

from .client import ChatClient, ChatError, ConnectionLost, SignedOut

__all__ = ["ChatClient", "ChatError", "ConnectionLost", "SignedOut"]
