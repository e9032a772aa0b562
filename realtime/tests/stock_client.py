"""StockClient: the stock socket.io-client in a process of its own, as docs/recipes.md shows its use."""

import json
import queue
import subprocess
import threading
from collections.abc import Callable
from itertools import count
from typing import Any

from tests.kit.paths import ROOT
from tests.kit.servers import ChatServer

WAIT_SECONDS = 30.0
SCRIPT = ROOT / "realtime" / "tests" / "stock_client.mjs"


class StockClient:
    """A Node process with one stock client. It writes each event that it receives as a line of JSON.

    `options` are the client's, except `base_url`, which names a proxy in front of the server.
    """

    def __init__(self, server: ChatServer, token: str, **options: Any) -> None:
        base_url = options.pop("base_url", server.base_url)
        self.process = subprocess.Popen(
            ["node", str(SCRIPT), base_url, token, json.dumps(options)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.seen: list[dict[str, Any]] = []
        self._unread: list[dict[str, Any]] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self._ids = count(1)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def command(self, **command: Any) -> None:
        """Emit without an acknowledgement (`event`, `args`), or disconnect (`close`)."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def emit(self, event: str, *args: Any) -> Any:
        """Emit with an acknowledgement, and return it."""
        number = next(self._ids)
        self.command(id=number, event=event, args=args)
        return self.expect(lambda line: line.get("id") == number)["answer"]

    def expect(self, wanted: str | Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next unread line of this event, or for which `wanted` holds. Other lines stay unread."""
        matches = (lambda line: line.get("event") == wanted) if isinstance(wanted, str) else wanted
        for line in self._unread:
            if matches(line):
                self._unread.remove(line)
                return line
        while True:
            try:
                line = json.loads(self._lines.get(timeout=WAIT_SECONDS))
            except queue.Empty:
                raise AssertionError(
                    f"{wanted} did not come; the last lines were {self.seen[-10:]}"
                ) from None
            self.seen.append(line)
            if matches(line):
                return line
            self._unread.append(line)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
