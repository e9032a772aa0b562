"""Connection: the bound on its outbox, holding, controls, and how it ends."""

import asyncio
from collections.abc import Sequence

import pytest

from foundation import times
from foundation.ids import uuid7
from realtime.session import connection as module
from realtime.session.connection import DROPPABLE_BUFFERED_BYTES, MAX_BUFFERED_BYTES, Connection, Identity
from realtime.wire.close_codes import CloseCode
from realtime.wire.frames import Frame

pytestmark = pytest.mark.once  # counts in memory


class Outbox:
    """A Transport in memory whose peer takes nothing: `buffered` bytes are queued."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.buffered = 0
        self.closed: list[tuple[str, CloseCode, str]] = []
        self.emptied = asyncio.Event()

    def write(self, frames: Sequence[Frame]) -> None:
        self.sent += [frame.payload for frame in frames]

    def buffered_bytes(self) -> int:
        return self.buffered

    async def drained(self) -> None:
        await self.emptied.wait()

    async def close(self, code: CloseCode, reason: str) -> None:
        self.closed.append(("close", code, reason))

    async def drop(self, code: CloseCode, reason: str) -> None:
        self.closed.append(("drop", code, reason))


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
async def connection(outbox: Outbox) -> Connection:
    identity = Identity(uuid7(), uuid7(), times.now())
    return Connection(identity=identity, device_id=None, transport=outbox)


async def test_device_id_when_none_is_given_then_is_the_connections_own(connection: Connection) -> None:
    assert connection.device_id == connection.id


async def test_push_when_the_peer_lags_then_droppable_frames_are_left_out(
    connection: Connection, outbox: Outbox
) -> None:
    frames = [Frame(b"typing", droppable=True), Frame(b"message")]
    outbox.buffered = DROPPABLE_BUFFERED_BYTES
    connection.push_frames(frames)
    outbox.buffered += 1
    connection.push_frames(frames)
    assert outbox.sent == [b"typing", b"message", b"message"]
    assert connection.closing is None


async def test_push_when_the_outbox_is_full_then_closes_with_4408(
    connection: Connection, outbox: Outbox
) -> None:
    outbox.buffered = MAX_BUFFERED_BYTES
    connection.push(b"")
    assert connection.closing is None
    connection.push(b"x")
    assert connection.closing == (CloseCode.SLOW_READER, "outbox full")
    assert connection.ended.done()
    outbox.buffered = 0
    connection.push(b"late")
    assert outbox.sent == [b""]


async def test_hold_when_nested_then_frames_come_after_the_last_release(
    connection: Connection, outbox: Outbox
) -> None:
    connection.hold()
    connection.hold()
    connection.push(b"pushed")
    await connection.send(b"sent")
    connection.release()
    assert outbox.sent == [b"sent"]
    connection.release()
    assert outbox.sent == [b"sent", b"pushed"]


async def test_hold_when_too_many_frames_wait_then_closes(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_HELD_FRAMES", 2)
    connection.hold()
    connection.push_frames([Frame(b"1"), Frame(b"2")])
    assert connection.closing is None
    connection.push(b"3")
    assert connection.closing is not None


async def test_send_when_the_peer_lags_then_waits_until_it_has_read(
    connection: Connection, outbox: Outbox
) -> None:
    outbox.buffered = DROPPABLE_BUFFERED_BYTES + 1
    sending = asyncio.create_task(connection.send(b"reply"))
    await asyncio.sleep(0)
    assert (outbox.sent, sending.done()) == ([b"reply"], False)
    outbox.emptied.set()
    await sending


async def test_controls_when_queued_then_are_announced_and_taken_once(connection: Connection) -> None:
    calls: list[None] = []
    connection.add_control("a", {})
    connection.watch_controls(lambda: calls.append(None))
    connection.add_control("b", {"n": 1})
    assert len(calls) == 2
    assert connection.take_controls() == [("a", {}), ("b", {"n": 1})]
    assert connection.take_controls() == []


async def test_controls_when_too_many_wait_then_the_peer_has_to_reconnect(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_CONTROLS", 1)
    connection.add_control("a", {})
    connection.add_control("b", {})
    assert connection.closing is not None
    assert connection.closing[0] is CloseCode.RESTART
    connection.take_controls()
    connection.add_control("c", {})
    assert connection.take_controls() == []


async def test_close_when_called_twice_then_the_first_code_is_used(
    connection: Connection, outbox: Outbox
) -> None:
    connection.close(CloseCode.DEACTIVATED, "first")
    connection.close(CloseCode.RESTART, "second")
    assert connection.closing == (CloseCode.DEACTIVATED, "first")
    await connection.finish(CloseCode.DEACTIVATED, "first")
    await connection.drop(CloseCode.NORMAL, "")
    assert [how for how, *_ in outbox.closed] == ["close", "drop"]


async def test_end_when_the_peer_left_then_no_code_is_set(connection: Connection) -> None:
    connection.end()
    connection.end()
    assert (connection.ended.done(), connection.closing) == (True, None)
