"""How a long command shows where it is: a bar on a terminal, plain lines in a log.

Knows tqdm and standard output; must not know what is counted.
"""

import sys

from tqdm import tqdm


class Progress:
    """Counts the messages of one phase, of `total`."""

    def __init__(self, phase: str, total: int) -> None:
        self._phase = phase
        self._bar = tqdm(
            desc=phase, total=total, unit=" messages", file=sys.stdout, disable=not sys.stdout.isatty()
        )
        self.count = 0

    def advance(self, count: int, what: str) -> None:
        self.count += count
        self._bar.update(count)
        if self._bar.disable:
            print(f"{self._phase} {count} messages of {what}", flush=True)

    def end(self) -> None:
        self._bar.close()
        print(f"{self._phase} {self.count} messages in all", flush=True)
