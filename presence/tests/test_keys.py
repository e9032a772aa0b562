"""Names of keys in Redis."""

import pytest
from redis.crc import key_slot

from foundation.ids import uuid7
from presence import keys
from presence.store import SHARDS

pytestmark = pytest.mark.once  # no database


def test_keys_when_of_one_shard_then_they_share_a_slot_of_their_own() -> None:
    slots = set()
    for shard in range(SHARDS):
        names = [
            keys.online_key(shard),
            keys.left_key(shard),
            keys.taken_key(shard),
            keys.sockets_key(shard, uuid7()),
        ]
        assert len({key_slot(name.encode()) for name in names}) == 1
        slots.add(key_slot(names[0].encode()))
    assert len(slots) == SHARDS
