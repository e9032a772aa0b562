"""Arrivals: finds repeated and lost messages of other processes by their numbers."""

from collections import OrderedDict

MAX_SENDERS = 1_000


class Arrivals:
    """Every process numbers its messages 1, 2, 3, .. and publishes at least one each second.

    So a skipped number means a lost message: the sender gave up, the layer dropped it, or this process was not
    subscribed. A number that comes again means that the message was sent twice.
    """

    def __init__(self, *, max_senders: int = MAX_SENDERS) -> None:
        self._max_senders = max_senders
        self._last: OrderedDict[str, int] = OrderedDict()

    def note(self, sender: str, number: int) -> tuple[bool, bool]:
        """Returns two flags: whether the message is new, and whether messages before it were lost."""
        last = self._last.get(sender, 0)
        if number <= last:
            return False, False
        self._last[sender] = number
        self._last.move_to_end(sender)
        if len(self._last) > self._max_senders:
            # Processes that have ended remain here. The one without a message for longest goes first.
            self._last.popitem(last=False)
        return True, number > last + 1
