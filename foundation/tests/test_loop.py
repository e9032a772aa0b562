"""The process's loop: the context of shared tasks, and the order in which objects are stopped."""

import logging
from collections.abc import Awaitable, Callable

import pytest

from foundation import context, loop


async def test_spawn_when_a_request_starts_the_task_then_context_is_empty() -> None:
    async def work() -> dict[str, str]:
        return context.log_fields()

    context.request_id.set("of-a-request")
    context.user_id.set("of-a-user")
    assert await loop.spawn(work(), name="shared") == {}
    assert context.request_id.get() == "of-a-request"


@pytest.fixture
async def stopped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the stopped objects, on a loop with a stop order of its own."""
    loop.adopt()
    monkeypatch.setattr(loop, "_stop_order", ("writer", "hub", "redis"))
    monkeypatch.setattr(loop, "_stoppers", {})
    return []


def stopper(stopped: list[str], name: str) -> Callable[[], Awaitable[None]]:
    async def stop() -> None:
        stopped.append(name)

    return stop


async def test_stop_when_made_in_another_order_then_stops_as_declared(stopped: list[str]) -> None:
    for name in ("hub", "redis", "writer"):
        loop.on_stop(name, stopper(stopped, name))
    await loop.stop()
    await loop.stop()
    assert stopped == ["writer", "hub", "redis"]


async def test_stop_when_one_fails_then_the_others_are_stopped_and_it_is_logged(
    stopped: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise KeyError("a bug")

    loop.on_stop("hub", stopper(stopped, "hub"))
    loop.on_stop("writer", fail)
    with caplog.at_level(logging.ERROR, "foundation.loop"):
        await loop.stop()
    assert stopped == ["hub"]
    assert "could not stop writer cleanly" in caplog.text


async def test_stop_when_an_object_is_made_meanwhile_then_it_is_stopped_too(stopped: list[str]) -> None:
    async def drain() -> None:
        stopped.append("writer")
        loop.on_stop("hub", stopper(stopped, "hub"))

    loop.on_stop("writer", drain)
    loop.on_stop("redis", stopper(stopped, "redis"))
    await loop.stop()
    assert stopped == ["writer", "hub", "redis"]


async def test_on_stop_when_the_name_has_no_place_then_fails(stopped: list[str]) -> None:
    with pytest.raises(LookupError, match="'cache' has no place in the stop order: writer, hub, redis"):
        loop.on_stop("cache", stopper(stopped, "cache"))


async def test_on_stop_when_the_name_is_taken_then_fails(stopped: list[str]) -> None:
    loop.on_stop("hub", stopper(stopped, "hub"))
    with pytest.raises(LookupError, match="two objects"):
        loop.on_stop("hub", stopper(stopped, "hub"))
