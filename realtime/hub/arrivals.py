"""The numbers of the messages that have come from each other process: finds repeats and losses."""

from collections import OrderedDict

MAX_SENDERS = 1_000


class Arrivals:
    """Every process numbers its messages 1, 2, 3, .. and publishes at least one each second.

    So a skipped number is a message that was lost: the sender gave up, the layer dropped it, or this process was
    not subscribed. A number that comes again was sent twice.
    """

    def __init__(self, *, max_senders: int = MAX_SENDERS) -> None:
        self._max_senders = max_senders
        self._last: OrderedDict[str, int] = OrderedDict()

    def note(self, sender: str, number: int) -> tuple[bool, bool]:
        """(whether the message is new, whether others before it were lost)."""
        last = self._last.get(sender, 0)
        if number <= last:
            return False, False
        self._last[sender] = number
        self._last.move_to_end(sender)
        if len(self._last) > self._max_senders:  # processes that have ended, the longest silent first
            self._last.popitem(last=False)
        return True, number > last + 1
