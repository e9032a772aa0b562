"""TopicOrder: the order of one topic's frames in this process, so that each seq is delivered once and in order."""

from collections import deque
from collections.abc import Iterable

from realtime.wire.frames import Frame

MAX_PARKED_FRAMES = 1_000


class TopicOrder:
    """`position` is the seq up to which everything was delivered. The first `note_head` sets it, and `start` keeps
    that first value.

    Frames behind a gap are parked. Frames without a seq that refer to the log are parked with them, because an edit
    must not overtake its message. At most MAX_PARKED_FRAMES are parked; later ones are fetched from the log.
    """

    def __init__(self) -> None:
        self.position: int | None = None
        self.start: int | None = None
        self.head = 0
        self._parked: dict[int, Frame] = {}
        # Pairs of the seq that has to come first and the frame.
        self._behind: deque[tuple[int, Frame]] = deque()

    @property
    def has_gap(self) -> bool:
        return self.position is not None and self.position < self.head

    @property
    def gap(self) -> tuple[int, int] | None:
        """The first and the last seq of the next gap; None if nothing is missing."""
        if self.position is None or self.position >= self.head:
            return None
        return self.position + 1, min(self._parked, default=self.head + 1) - 1

    def accept(self, frame: Frame) -> list[Frame]:
        """Take a frame from the layer; returns the frames that are now ready, in order."""
        if frame.seq is None:
            waits = self.position is not None and self.position < self.head and not frame.droppable
            if waits and len(self._behind) < MAX_PARKED_FRAMES:
                self._behind.append((self.head, frame))
                return []
            return [frame]
        if self.position is not None and frame.seq <= self.position:
            return []
        self.head = max(self.head, frame.seq)
        if frame.seq - 1 == self.position:
            self.position = frame.seq
            return [frame, *self._ready()] if self._parked or self._behind else [frame]
        if len(self._parked) < MAX_PARKED_FRAMES:
            self._parked[frame.seq] = frame
        return []

    def fill(self, frames: Iterable[Frame]) -> list[Frame]:
        """Take frames from the log; returns the frames that are now ready, in order."""
        return [ready for frame in frames for ready in self.accept(frame)]

    def note_head(self, head: int) -> list[Frame]:
        """Take the log's head. The first time, everything up to there counts as delivered."""
        if self.position is None:
            self.position = self.start = head
            for seq in [seq for seq in self._parked if seq <= head]:
                del self._parked[seq]
        self.head = max(self.head, head)
        return self._ready()

    def skip(self) -> list[Frame]:
        """Give up the next gap. Clients see it and request the messages themselves."""
        if self.gap is not None:
            self.position = self.gap[1]
        return self._ready()

    def _ready(self) -> list[Frame]:
        ready: list[Frame] = []
        assert self.position is not None
        while True:
            while self._behind and self._behind[0][0] <= self.position:
                ready.append(self._behind.popleft()[1])
            frame = self._parked.pop(self.position + 1, None)
            if frame is None:
                return ready
            self.position += 1
            ready.append(frame)
