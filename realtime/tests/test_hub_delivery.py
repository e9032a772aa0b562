"""Delivery: if one item or connection raises, all others are delivered and the repairs start."""

from collections.abc import Sequence
from typing import Any

import pytest

from foundation import times
from foundation.ids import uuid7
from realtime.hub.hub import Hub
from realtime.session.connection import Connection, Identity
from realtime.wire.close_codes import CloseCode
from realtime.wire.frames import Frame
from tests.kit.connections import Peer, connect


class BrokenPeer(Peer):
    def write(self, frames: Sequence[Frame]) -> None:
        raise OSError("the socket is gone")


class Losses:
    """A repair that counts its calls and raises."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1
        raise RuntimeError("no repair today")


def fail(*_: Any) -> None:
    raise RuntimeError("it does not work")


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelname == "ERROR"]


@pytest.fixture
def losses(hub: Hub) -> Losses:
    losses = Losses()
    hub.on_loss(losses)
    return losses


async def test_listener_when_it_raises_then_the_rest_of_the_batch_arrives(
    hub: Hub, losses: Losses, caplog: pytest.LogCaptureFixture
) -> None:
    received: list[dict[str, Any]] = []
    hub.listen("news", fail)
    hub.listen("news", received.append)
    connection, peer = await connect(hub, uuid7())
    hub.subscribe(connection, "room")
    hub.notify("news", {"n": 1})
    hub.publish("room", b"x")
    hub.notify("news", {"n": 2})
    await hub.flush()
    assert (received, peer.payloads) == ([{"n": 1}, {"n": 2}], [b"x"])
    assert losses.count == 1
    assert len([error for error in errors(caplog) if "parts of a delivery" in error]) == 1


async def test_repair_when_it_raises_then_the_next_starts_and_nothing_loops(hub: Hub, losses: Losses) -> None:
    after = Losses()
    hub.on_loss(after)
    hub.listen("news", fail)
    hub.notify("news", {})
    for _ in range(3):
        await hub.flush()
    assert (losses.count, after.count) == (1, 1)


async def test_connection_when_its_push_raises_then_only_it_is_closed(hub: Hub, losses: Losses) -> None:
    identity = Identity(uuid7(), uuid7(), times.now())
    broken = Connection(identity=identity, device_id=None, transport=BrokenPeer())  # type: ignore[arg-type]
    await hub.attach(broken)
    hub.subscribe(broken, "room")
    peers = []
    for _ in range(3):
        connection, peer = await connect(hub, uuid7())
        hub.subscribe(connection, "room")
        peers.append(peer)
    hub.publish("room", b"x")
    await hub.flush()
    assert [peer.payloads for peer in peers] == [[b"x"]] * 3
    assert broken.closing is not None
    assert broken.closing[0] == CloseCode.RESTART
    assert losses.count == 1


async def test_control_when_one_connection_raises_then_the_others_get_it(hub: Hub, losses: Losses) -> None:
    connections = []
    for _ in range(3):
        connection, _ = await connect(hub, uuid7())
        await hub.attach(connection, "user:a")
        connections.append(connection)
    connections[1].watch_controls(fail)
    hub.send_control(["user:a"], "session:ended", {})
    await hub.flush()
    assert [len(connection.take_controls()) for connection in connections] == [1, 1, 1]
    assert losses.count == 1


async def test_item_when_it_cannot_be_delivered_then_those_behind_it_are(hub: Hub, losses: Losses) -> None:
    connection, peer = await connect(hub, uuid7())
    hub.subscribe(connection, "room")
    hub.note_head("room", 0)
    hub.publish("room", b"one", seq="1")  # type: ignore[arg-type]
    hub.publish("room", b"two", seq=1)
    await hub.flush()
    assert peer.payloads == [b"two"]
    assert losses.count == 1
