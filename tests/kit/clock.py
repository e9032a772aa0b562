"""Clock: a clock that stands still until a test moves it."""


class Clock:
    """Passed as `clock=`. `now` is in seconds, and begins at no special value."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
