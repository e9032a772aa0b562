"""The one event loop of the process that owns the hub, the writer and every async client.

In a server that is the loop that runs the ASGI application; in a management command, a shell or a WSGI
process it is a loop in a background thread, started when first needed. Async services always run there, so
their shared state needs no thread locks. Knows asyncio only; must not know what runs on the loop.
"""

import asyncio
import atexit
import contextvars
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, TypeVar

T = TypeVar("T")
Stopper = Callable[[], Awaitable[None]]

CALL_TIMEOUT_SECONDS = 30.0
# For all that stops together; after the server's own wait for its connections it still ends within ten seconds.
STOP_TIMEOUT_SECONDS = 4.0

logger = logging.getLogger(__name__)
_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_pid = 0
_stop_order: tuple[str, ...] = ()
_stoppers: dict[str, Stopper] = {}


def adopt() -> None:
    """Make the running loop the loop of this process; called by the ASGI application, safe to repeat."""
    global _loop, _pid
    running = asyncio.get_running_loop()
    if _loop is not running:
        with _lock:
            _loop, _pid = running, os.getpid()
            _stoppers.clear()


def get_loop() -> asyncio.AbstractEventLoop:
    """The process's loop; starts one in a thread where no server runs. A fork gets a loop of its own."""
    global _loop, _pid
    with _lock:
        if _loop is None or _pid != os.getpid() or _loop.is_closed():
            _loop, _pid = asyncio.new_event_loop(), os.getpid()
            _stoppers.clear()
            threading.Thread(target=_loop.run_forever, name="chat-loop", daemon=True).start()
            atexit.register(_stop_at_exit, _loop)
        return _loop


def call(work: Coroutine[Any, Any, T], *, timeout_seconds: float = CALL_TIMEOUT_SECONDS) -> T:
    """Run `work` on the process's loop from another thread and wait for it: the door from sync code to services.

    The caller's context (request id, user) goes along. Raises TimeoutError after `timeout_seconds`.
    """
    loop = get_loop()
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return future.result(timeout_seconds)
    except TimeoutError:
        future.cancel()
        raise


def spawn(work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
    """Start a task that works for the whole process, in an empty context.

    asyncio.create_task copies the context of the caller: the task's log records would carry the request id and the
    user id of the request that happened to start it.
    """
    return asyncio.create_task(work, name=name, context=contextvars.Context())


def declare_stop_order(*names: str) -> None:
    """Say in which order `stop` stops the objects of this process; called once, by the composition root."""
    global _stop_order
    _stop_order = names


def on_stop(name: str, stopper: Stopper) -> None:
    """Have `stopper` awaited when the process ends, at the place of `name` in the declared order.

    Raises LookupError for a name without a place, so that nobody forgets to choose one.
    """
    if name not in _stop_order:
        raise LookupError(
            f"{name!r} has no place in the stop order: {', '.join(_stop_order) or 'none declared'}"
        )
    if name in _stoppers:
        raise LookupError(f"two objects of this process are to be stopped as {name!r}")
    _stoppers[name] = stopper


def one_per_loop(make: Callable[[], T]) -> Callable[[], T]:
    """Have `make` called once for each process's loop: the one way to hold what a process has one of.

    The object lives as long as the loop does. A loop that ended, or was left behind by a fork, takes its
    connections and tasks with it; the next caller gets a new object. `make` registers the object's stopper with
    `on_stop`. (What belongs to no loop and may be used by any thread is held by functools.cache.)
    """
    made: list[tuple[asyncio.AbstractEventLoop, T]] = []

    @wraps(make)
    def get() -> T:
        current = get_loop()
        if not made or made[0][0] is not current:
            made[:] = [(current, make())]
        return made[0][1]

    return get


async def cancel(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel what runs of these, and return when all have ended; what they raised is not told."""
    begun = [task for task in tasks if task is not None]
    for task in begun:
        task.cancel()
    await asyncio.gather(*begun, return_exceptions=True)


async def stop() -> None:
    """Stop all that was registered, in the declared order and within one bound; one that fails does not keep the
    others from it. What is made meanwhile, by a writer that drains for example, is stopped too."""
    give_up_at = asyncio.get_running_loop().time() + STOP_TIMEOUT_SECONDS
    while (name := next((name for name in _stop_order if name in _stoppers), None)) is not None:
        stopper = _stoppers.pop(name)
        try:
            async with asyncio.timeout_at(give_up_at):
                await stopper()
        except Exception:
            logger.exception("could not stop %s cleanly", name)


def _stop_at_exit(loop: asyncio.AbstractEventLoop) -> None:
    if loop is _loop and _pid == os.getpid() and loop.is_running():
        try:
            asyncio.run_coroutine_threadsafe(stop(), loop).result(STOP_TIMEOUT_SECONDS)
        finally:
            loop.call_soon_threadsafe(loop.stop)
