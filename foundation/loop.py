"""The process's event loop, on which the hub, the writer and every async client live.

In a server this is the loop that runs the ASGI application. In a management command, a shell or a WSGI process it
is a loop in a background thread, started on first use. Async services always run on this loop, so their shared
state needs no thread locks.
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
# For all stoppers together. With the server's own wait for its connections, a stop takes at most ten seconds.
STOP_TIMEOUT_SECONDS = 4.0

logger = logging.getLogger(__name__)
_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_pid = 0
_stop_order: tuple[str, ...] = ()
_stoppers: dict[str, Stopper] = {}


def adopt() -> None:
    """Make the running loop the process's loop. The ASGI application calls this; repeating it is safe."""
    global _loop, _pid
    running = asyncio.get_running_loop()
    if _loop is not running:
        with _lock:
            _loop, _pid = running, os.getpid()
            _stoppers.clear()


def get_loop() -> asyncio.AbstractEventLoop:
    """The process's loop. Starts one in a thread if no server runs. A fork gets a loop of its own."""
    global _loop, _pid
    with _lock:
        if _loop is None or _pid != os.getpid() or _loop.is_closed():
            _loop, _pid = asyncio.new_event_loop(), os.getpid()
            _stoppers.clear()
            threading.Thread(target=_loop.run_forever, name="chat-loop", daemon=True).start()
            atexit.register(_stop_at_exit, _loop)
        return _loop


def call(work: Coroutine[Any, Any, T], *, timeout_seconds: float = CALL_TIMEOUT_SECONDS) -> T:
    """Run `work` on the process's loop and wait for its result: the way from another thread to async services.

    The work sees the caller's context (request id, user). Raises TimeoutError after `timeout_seconds`, and
    cancels the work.
    """
    loop = get_loop()
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return future.result(timeout_seconds)
    except TimeoutError:
        future.cancel()
        raise


def spawn(work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
    """Start a task of the whole process, in an empty context.

    asyncio.create_task copies the context of the caller: the task's log records would carry the request id and
    the user id of the request that happened to start it.
    """
    return asyncio.create_task(work, name=name, context=contextvars.Context())


def declare_stop_order(*names: str) -> None:
    """Set the order in which `stop` stops the objects of this process. The composition root calls this once."""
    global _stop_order
    _stop_order = names


def on_stop(name: str, stopper: Stopper) -> None:
    """Register `stopper`, which `stop` awaits at the place of `name` in the declared order.

    Raises LookupError for a name that is not in the order, or that is registered already.
    """
    if name not in _stop_order:
        raise LookupError(
            f"{name!r} has no place in the stop order: {', '.join(_stop_order) or 'none declared'}"
        )
    if name in _stoppers:
        raise LookupError(f"two objects of this process have the name {name!r} in the stop order")
    _stoppers[name] = stopper


def one_per_loop(make: Callable[[], T]) -> Callable[[], T]:
    """Call `make` once for each loop of the process, and return the same object afterwards.

    This is how the process holds an object that it has one of. The object lives as long as the loop: when the
    loop has ended or stayed behind in a fork, the next caller gets a new object. `make` registers the object's
    stopper with `on_stop`. An object that belongs to no loop and is safe in any thread is held by functools.cache
    instead.
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
    """Cancel these tasks and return when all have ended. Their exceptions are ignored."""
    present = [task for task in tasks if task is not None]
    for task in present:
        task.cancel()
    await asyncio.gather(*present, return_exceptions=True)


async def stop() -> None:
    """Stop all registered objects in the declared order, in at most STOP_TIMEOUT_SECONDS.

    If one fails, the error is logged and the others are still stopped. Objects that are made meanwhile, for example
    by a writer that stores its last messages, are stopped too.
    """
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
