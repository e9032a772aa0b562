"""The row with which /readyz tries whether the database takes writes."""

from uuid import UUID

from django.db import models

from foundation import times

# One row for all processes, so that probing makes nothing grow.
ROW_ID = UUID(int=1)


class WriteProbe(models.Model):
    """When a process last tried to write."""

    id = models.UUIDField(primary_key=True, editable=False, db_column="_id")
    tried_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"tried at {self.tried_at}"

    @classmethod
    def write(cls) -> None:
        """Write the row. Raises what the database raises when it takes no writes."""
        now = times.now()
        if not cls.objects.filter(pk=ROW_ID).update(tried_at=now):
            WriteProbe.objects.bulk_create([WriteProbe(id=ROW_ID, tried_at=now)], ignore_conflicts=True)
