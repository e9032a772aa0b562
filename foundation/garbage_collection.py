"""Python's garbage collector, told what it need not look at. Knows nothing of the rest."""

import gc

# Ten times Python's own: what a message leaves behind ends by its reference count, and needs no looking for.
THRESHOLDS = (7_000, 20, 20)


def settle() -> None:
    """Called once a server has started: what is loaded by then stays until the process ends.

    Each full collection went through its 150,000 objects, 40 to 80 ms in which nobody was answered.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
