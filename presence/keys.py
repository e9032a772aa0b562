"""Names of the keys of presence in Redis. Their contents are described in docs/decisions/0003."""

from uuid import UUID


# The braces are Redis Cluster's hash tag: all keys of a shard are in one slot.
def online_key(shard: int) -> str:
    return f"presence:{{{shard}}}:online"


def taken_key(shard: int) -> str:
    return f"presence:{{{shard}}}:taken"


def left_key(shard: int) -> str:
    return f"presence:{{{shard}}}:left"


def sockets_key(shard: int, user_id: UUID) -> str:
    return f"presence:{{{shard}}}:sockets:{user_id}"
