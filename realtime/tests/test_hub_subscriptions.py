"""Subscriptions: the index of connections by topic and by address."""

from foundation import times
from foundation.ids import uuid7
from realtime.hub.subscriptions import Subscriptions
from realtime.session.connection import Connection, Identity
from tests.kit.connections import Peer


def attached(subscriptions: Subscriptions, *addresses: str) -> Connection:
    identity = Identity(uuid7(), uuid7(), times.now())
    connection = Connection(identity=identity, device_id=None, transport=Peer())  # type: ignore[arg-type]
    subscriptions.attach(connection, addresses)
    return connection


async def test_subscribe_when_repeated_then_only_the_first_is_reported() -> None:
    subscriptions = Subscriptions()
    one, two = attached(subscriptions), attached(subscriptions)
    assert subscriptions.subscribe(one, "room")
    assert not subscriptions.subscribe(one, "room")
    assert not subscriptions.subscribe(two, "room")
    subscriptions.detach(two)
    assert not subscriptions.subscribe(two, "other")
    assert set(subscriptions.subscribers("room")) == {one}
    assert (subscriptions.topics(one), subscriptions.topics(two)) == ({"room"}, frozenset())


async def test_unsubscribe_when_the_last_leaves_then_is_reported_once() -> None:
    subscriptions = Subscriptions()
    one, two = attached(subscriptions), attached(subscriptions)
    for connection in (one, two):
        subscriptions.subscribe(connection, "room")
    assert not subscriptions.unsubscribe(one, "room")
    assert subscriptions.detach(two) == ["room"]
    assert subscriptions.detach(two) == []
    assert not subscriptions.unsubscribe(two, "room")
    assert subscriptions.connections() == [one]


async def test_attach_when_done_again_then_the_new_addresses_replace_the_old() -> None:
    subscriptions = Subscriptions()
    one, two = attached(subscriptions, "user:a", "session:1"), attached(subscriptions, "user:a")
    subscriptions.subscribe(one, "room")
    assert subscriptions.addressed(["user:a", "session:1"]) == {one, two}
    subscriptions.attach(one, ("user:a", "session:2"))
    assert subscriptions.addressed(["session:1"]) == set()
    assert subscriptions.addressed(["session:2"]) == {one}
    assert subscriptions.topics(one) == {"room"}


async def test_subscribers_when_an_address_is_excluded_then_lack_it() -> None:
    subscriptions = Subscriptions()
    one, two = attached(subscriptions, "user:a"), attached(subscriptions, "user:b")
    for connection in (one, two):
        subscriptions.subscribe(connection, "room")
    assert list(subscriptions.subscribers("room", exclude_address="user:a")) == [two]
    assert set(subscriptions.subscribers("room", exclude_address="user:c")) == {one, two}
    assert set(subscriptions.subscribers("other")) == set()
