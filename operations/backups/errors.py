"""The error of backups."""


class BackupError(Exception):
    """The copy cannot be made, is damaged, or would overwrite something."""
