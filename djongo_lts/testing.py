"""Helpers for the tests of any project: a MongoDB server process, and the query plans of executed commands."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from .commands import Aggregate, Find


class MongoServer:
    """A `secantusd-py` process on a free loopback port.

    After kill(), start() serves the same data on the same port. So it does after stop(), if `storage` was given.
    `sync` makes acknowledged writes survive kill(); writes then take ten times as long. `start_seconds` limits the
    wait for the first answer. `fails` allows fail_writes().
    """

    def __init__(
        self,
        storage: str | Path | None = None,
        sync: bool = False,
        start_seconds: float = 30,
        fails: bool = False,
    ):
        self._temporary = storage is None
        self.storage = Path(storage or tempfile.mkdtemp(prefix="mongo-"))
        self.sync, self.start_seconds, self.fails = sync, start_seconds, fails
        self.port = free_port()
        self.process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}"

    def start(self) -> str:
        """Starts the server, waits until it answers and returns its URL without a database name.

        Raises RuntimeError with the end of the server's log if it does not answer in time.
        """
        command = [str(Path(sys.executable).with_name("secantusd-py")), "--port", str(self.port)]
        command += ["--storage-path", str(self.storage / "data"), "--log-level", "ERROR"]
        command += ["--sync-on-commit"] if self.sync else []
        command += ["--enable-test-commands"] if self.fails else []
        self.storage.mkdir(parents=True, exist_ok=True)
        with open(self.storage / "log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.storage)
        wait = int(self.start_seconds * 1000)
        try:
            with MongoClient(self.url, serverSelectionTimeoutMS=wait) as client:
                client.admin.command("ping")
        except PyMongoError as error:
            log_text = (self.storage / "log").read_text(errors="replace")[-2000:]
            self.stop()
            raise RuntimeError(f"secantusd-py did not answer: {error}\n{log_text}") from error
        return self.url

    def stop(self) -> None:
        """Stops the server with SIGTERM and removes a temporary storage directory."""
        self._end(signal.SIGTERM)
        if self._temporary:
            shutil.rmtree(self.storage, ignore_errors=True)

    def kill(self) -> None:
        """Ends the server with SIGKILL, as a crash: it neither closes connections nor flushes to disk."""
        self._end(signal.SIGKILL)

    def restart(self) -> str:
        """Stops the server with SIGTERM and starts it with the same data on the same port; returns the URL."""
        self._end(signal.SIGTERM)
        return self.start()

    def fail_writes(self, code: int | None) -> None:
        """Refuses every write with an error code, such as 14031 (OutOfDiskSpace); with None writes work again."""
        writes = ["insert", "update", "delete", "findAndModify"]
        point = (
            {"mode": "off"}
            if code is None
            else {"mode": "alwaysOn", "data": {"failCommands": writes, "errorCode": code}}
        )
        with MongoClient(self.url) as client:
            client.admin.command("configureFailPoint", "failCommand", **point)

    def _end(self, how: int) -> None:
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self.process = None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def mongo_url():
    """Yields the URL of a server for tests: TEST_MONGODB_URL, or that of a MongoServer started for the block."""
    if given := os.environ.get("TEST_MONGODB_URL"):
        yield given.rstrip("/")
        return
    server = MongoServer()
    try:
        yield server.start()
    finally:
        server.stop()


@contextmanager
def plans(connection):
    """Yields a list that collects a (command text, plan) pair for each command that runs on the connection.

    Inserts have no plan and are left out. Raises ImproperlyConfigured on another database.

    secantusdb scans the collection if the filter has a field that the index does not cover. MongoDB would use the
    index for the fields it covers. Where the plan scans, the list therefore gets the plan for a shorter filter,
    with only the leading keys of an index, if that plan does not scan.
    """
    if connection.vendor != "djongo":
        raise ImproperlyConfigured("plans() explains djongo_lts commands only")
    seen: list[tuple[str, dict]] = []

    def explain(execute, sql, params, many, context):
        command = getattr(sql, "explainable", lambda: None)()
        if command is not None:
            plan = connection.explain(sql)
            seen.append((str(sql), (scans(plan) and plan_by_index(connection, sql)) or plan))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        yield seen


def plan_by_index(connection, command) -> dict | None:
    """The plan for the part of the command's filter that an index covers; None if each such plan scans."""
    where = command.pipeline[0].get("$match", {}) if isinstance(command, Aggregate) else command.where
    if "$and" in where:
        where = {key: value for part in where["$and"] for key, value in part.items()}
    for index in connection.indexes(command.collection).values():
        keys = takewhile(where.__contains__, (key for key, _ in index["key"]))
        if covered := {key: where[key] for key in keys}:
            plan = connection.explain(Find(command.collection, covered, []))
            if not scans(plan):
                return plan
    return None


def scans(plan) -> bool:
    """Whether a plan reads a whole collection."""
    return '"COLLSCAN"' in repr(plan).replace("'", '"')
