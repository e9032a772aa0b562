"""Progress of a long command: a bar on a terminal, plain lines elsewhere."""

import sys

from tqdm import tqdm


class Progress:
    """Counts the messages of one phase up to `total`."""

    def __init__(self, phase: str, total: int) -> None:
        self._phase = phase
        self._bar = tqdm(
            desc=phase, total=total, unit=" messages", file=sys.stdout, disable=not sys.stdout.isatty()
        )
        self.count = 0

    def advance(self, count: int, what: str) -> None:
        """Add `count` messages of `what`, for example of "room 0192…"."""
        self.count += count
        self._bar.update(count)
        if self._bar.disable:
            print(f"{self._phase} {count} messages of {what}", flush=True)

    def end(self) -> None:
        self._bar.close()
        print(f"{self._phase} {self.count} messages in all", flush=True)
