"""WebSockets without a client library, for tests that send malformed frames or do not read."""

import asyncio
import base64
import os
import socket
import struct

from .users import ChatUser

OPEN_SECONDS = 60.0
TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


async def open_raw_socket(
    user: ChatUser, *, receive_buffer_bytes: int = 0, first_frames: bytes = b""
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Opens a socket of the user and reads its `ready` event.

    With a small `receive_buffer_bytes` the kernel buffers little of what the test does not read. `first_frames` are
    sent in one packet with the handshake.
    """
    sock = socket.socket()
    if receive_buffer_bytes:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", user.server.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=2**24)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET /ws/chat/ HTTP/1.1\r\nHost: 127.0.0.1:{user.server.port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        f"Authorization: Bearer {user.access_token}\r\n\r\n".encode()
        + first_frames
    )
    async with asyncio.timeout(OPEN_SECONDS):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        await reader.readuntil(b'"event":"ready"')
    return reader, writer


def frame(
    payload: bytes, opcode: int = TEXT, *, fin: bool = True, claim: int | None = None, rsv: int = 0
) -> bytes:
    """Encodes a masked client frame. `claim` is the length in its header, if that is to be wrong."""
    length = len(payload) if claim is None else claim
    head = bytes([(fin << 7) | (rsv << 4) | opcode])
    if length < 126:
        head += bytes([128 | length])
    elif length < 2**16:
        head += bytes([128 | 126]) + struct.pack("!H", length)
    else:
        head += bytes([128 | 127]) + struct.pack("!Q", length & (2**64 - 1))
    # A mask of zeros leaves the payload as it is.
    return head + bytes(4) + payload
