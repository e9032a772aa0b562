"""ServerClock: the database's time between its readings."""

from datetime import timedelta
from typing import Any

from foundation import times
from foundation.errors import Unavailable
from foundation.server_clock import ServerClock, read_database_time
from tests.kit.clock import Clock
from tests.kit.waiting import until

START = times.from_timestamp(1_800_000_000)


class Database:
    """A database's clock, and how often it was read. `error` is raised by the next reading."""

    def __init__(self) -> None:
        self.moment, self.readings = START, 0
        self.error: Exception | None = None

    def read(self) -> Any:
        self.readings += 1
        if self.error is not None:
            raise self.error
        return self.moment


async def test_clock_when_read_a_moment_ago_then_asks_no_database() -> None:
    database, clock = Database(), Clock()
    server_clock = ServerClock(database.read, monotonic=clock)
    await server_clock.sync()
    clock.now += 29
    await server_clock.sync()
    assert (server_clock.now(), database.readings) == (START + timedelta(seconds=29), 1)


async def test_clock_when_its_reading_is_old_then_renews_it_aside() -> None:
    database, clock = Database(), Clock()
    server_clock = ServerClock(database.read, monotonic=clock)
    await server_clock.sync()
    clock.now += 31
    database.moment = START + timedelta(seconds=40)
    await server_clock.sync()
    await until(lambda: server_clock.now() == database.moment, "the new reading")
    assert database.readings == 2


async def test_clock_when_nobody_came_for_long_then_waits_for_a_reading() -> None:
    database, clock = Database(), Clock()
    server_clock = ServerClock(database.read, monotonic=clock)
    await server_clock.sync()
    clock.now += 601
    database.moment = START + timedelta(hours=9)
    await server_clock.sync()
    assert server_clock.now() == database.moment


async def test_clock_when_the_database_is_away_then_keeps_its_time() -> None:
    database, clock = Database(), Clock()
    server_clock = ServerClock(database.read, monotonic=clock)
    await server_clock.sync()
    database.error = Unavailable("away")
    clock.now += 700
    await server_clock.sync()
    assert server_clock.now() == START + timedelta(seconds=700)


def test_database_time_when_read_then_is_the_present_in_milliseconds(db: None) -> None:
    before, moment, after = times.now(), read_database_time(), times.now()
    assert before - timedelta(minutes=5) < moment < after + timedelta(minutes=5)
    assert moment == times.truncate(moment)
