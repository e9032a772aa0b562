"""The row with which /readyz tries whether the database takes writes."""

import secrets
from uuid import UUID

from django.db import models

from foundation import times

# One row for all processes, so that probing makes nothing grow.
ROW_ID = UUID(int=1)
# About as many bytes of pages as a message changes in the log, its indexes and marks: fewer may still fit on a disk
# that has no room for a message. Random, because databases compress text, and skip a page that stays the same.
CONTENT_BYTES = 24 * 1024


class WriteProbe(models.Model):
    """When a process last tried to write."""

    id = models.UUIDField(primary_key=True, editable=False, db_column="_id")
    tried_at = models.DateTimeField()
    content = models.TextField()

    def __str__(self) -> str:
        return f"tried at {self.tried_at}"

    @classmethod
    def write(cls) -> None:
        """Write the row. Raises what the database raises when it takes no writes."""
        written = {"tried_at": times.now(), "content": secrets.token_urlsafe(CONTENT_BYTES)}
        if not cls.objects.filter(pk=ROW_ID).update(**written):
            # Another process may insert it at the same time.
            WriteProbe.objects.bulk_create([WriteProbe(id=ROW_ID, **written)], ignore_conflicts=True)
