"""What goes wrong with copies, in one class. Knows nothing else."""


class BackupError(Exception):
    """The copy cannot be made, or cannot be trusted, or would write over something."""
