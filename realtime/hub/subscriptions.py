"""Subscriptions: the index of this process's connections by the topics they subscribed to and their addresses."""

from collections.abc import Collection, Iterable

from realtime.session.connection import Connection


class Subscriptions:
    """It neither waits nor sends. An address belongs to the connection, for example `user:<id>`."""

    def __init__(self) -> None:
        self._subscribers: dict[str, set[Connection]] = {}
        self._addressed: dict[str, set[Connection]] = {}
        self._topics: dict[Connection, set[str]] = {}
        self._addresses: dict[Connection, tuple[str, ...]] = {}

    def attach(self, connection: Connection, addresses: tuple[str, ...]) -> None:
        """Add the connection under these addresses, and remove it from any others it had."""
        for address in self._addresses.get(connection, ()):
            if address not in addresses:
                _discard(self._addressed, address, connection)
        self._addresses[connection] = addresses
        self._topics.setdefault(connection, set())
        for address in addresses:
            self._addressed.setdefault(address, set()).add(connection)

    def detach(self, connection: Connection) -> list[str]:
        """Remove the connection. Returns the topics of which it was the last subscriber."""
        for address in self._addresses.pop(connection, ()):
            _discard(self._addressed, address, connection)
        topics = self._topics.pop(connection, set())
        return [topic for topic in topics if _discard(self._subscribers, topic, connection)]

    def subscribe(self, connection: Connection, topic: str) -> bool:
        """Add a subscriber. True if it is the topic's first. A detached connection is not added."""
        if connection not in self._topics:
            return False
        self._topics[connection].add(topic)
        first = topic not in self._subscribers
        self._subscribers.setdefault(topic, set()).add(connection)
        return first

    def unsubscribe(self, connection: Connection, topic: str) -> bool:
        """Remove a subscriber. True if it was the topic's last."""
        self._topics.get(connection, set()).discard(topic)
        return _discard(self._subscribers, topic, connection)

    def subscribers(self, topic: str, *, exclude_address: str | None = None) -> Collection[Connection]:
        """The topic's subscribers without those of `exclude_address`. Copy it before an await: it changes."""
        subscribers = self._subscribers.get(topic, set())
        if not exclude_address:
            return subscribers
        excluded = self._addressed.get(exclude_address, set())
        return [connection for connection in subscribers if connection not in excluded]

    def addressed(self, addresses: Iterable[str]) -> set[Connection]:
        """The connections that have one of the addresses."""
        return {connection for address in addresses for connection in self._addressed.get(address, ())}

    def topics(self, connection: Connection) -> frozenset[str]:
        return frozenset(self._topics.get(connection, ()))

    def connections(self) -> list[Connection]:
        return list(self._topics)


def _discard(index: dict[str, set[Connection]], key: str, connection: Connection) -> bool:
    """Remove the connection under `key`. True if it was the last one there."""
    members = index.get(key)
    if members is None:
        return False
    members.discard(connection)
    if members:
        return False
    del index[key]
    return True
