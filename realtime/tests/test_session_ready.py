"""The data of `ready`."""

from datetime import timedelta

import pytest
from django.conf import settings

from foundation import times
from foundation.ids import uuid7
from realtime.session.connection import Connection, Identity
from realtime.session.ready import READY, ready_data
from realtime.wire.protocol import to_builtins
from tests.kit.connections import Peer

pytestmark = pytest.mark.once  # nobody is looked up


async def test_ready_when_made_then_names_the_connection_and_its_limits() -> None:
    identity = Identity(uuid7(), uuid7(), times.now() + timedelta(hours=1))
    connection = Connection(identity=identity, device_id="phone", transport=Peer())  # type: ignore[arg-type]
    data = to_builtins(ready_data(connection, rooms={"r": 7}))
    assert (data["userId"], data["connectionId"]) == (str(identity.user_id), connection.id)
    assert (data["deviceId"], data["rooms"]) == ("phone", {"r": 7})
    assert data["serverTime"] < data["expiresAt"] == times.to_wire(identity.expires_at)
    assert data["limits"]["maxFrameBytes"] == settings.MAX_FRAME_BYTES
    assert READY.encode(ready_data(connection, rooms={})).startswith(b'{"event":"ready","data":{"userId":')
