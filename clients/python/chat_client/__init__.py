"""A client of the chat backend that reconnects, resumes and loses no message. It needs httpx and websockets only.

`client` has ChatClient, `connection` reconnects, `exchange` sends frames and takes answers, `inbox` orders events,
`catch_up` closes gaps, `tokens` renews tokens. docs/protocol.md explains the rules, and clients/js/chat-client.js
is the same client in JavaScript.
"""

from .client import ChatClient
from .errors import ChatError, ConnectionLost, SignedOut

__all__ = ["ChatClient", "ChatError", "ConnectionLost", "SignedOut"]
