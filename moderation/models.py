"""Reports of messages, and the audit log of moderators' actions.

A report has no foreign key to its message: the message may be archived while the report stays.
"""

from django.conf import settings
from django.db import models

from foundation import times
from foundation.ids import uuid7
from foundation.immutable import ImmutableModel
from rooms.models import Room


class Report(models.Model):
    """A member reports a message to the moderators. `content` is the text at the time of the report."""

    class Resolution(models.TextChoices):
        DISMISSED = "dismissed"
        REMOVED = "removed", "message removed"
        DEACTIVATED = "deactivated", "author deactivated"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False, db_column="_id")
    message_id = models.UUIDField()
    room = models.ForeignKey(Room, on_delete=models.PROTECT, related_name="+")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reporter = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    seq = models.BigIntegerField()
    version = models.IntegerField()
    content = models.TextField()
    reason = models.CharField(max_length=1000)
    created_at = models.DateTimeField(default=times.now)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    resolution = models.CharField(max_length=16, choices=Resolution.choices, blank=True, default="")
    note = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["message_id", "reporter"], name="report_once")]
        indexes = [models.Index(fields=["resolved_at", "created_at"], name="report_queue")]
        ordering = ["created_at"]

    def __str__(self) -> str:
        return f"report of message {self.seq}: {self.content[:80]}"


class AuditEntry(ImmutableModel):
    """One action of a moderator. It is written before the action runs, so that no action is without an entry.

    `seq` has no gaps, and `digest` covers this entry and the digest of the one before, with the key named `key_id`
    (`moderation.chain`). `manage.py verify_audit` finds entries that were changed or removed by other means than
    Django. Names are those at the time of the action.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False, db_column="_id")
    seq = models.BigIntegerField(unique=True)
    at = models.DateTimeField(default=times.now)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    actor_name = models.CharField(max_length=64)
    action = models.CharField(max_length=32)
    outcome = models.CharField(max_length=16, default="done")
    target_kind = models.CharField(max_length=16)
    target_id = models.UUIDField()
    target_name = models.CharField(max_length=200, blank=True, default="")
    reason = models.CharField(max_length=500, blank=True, default="")
    details = models.JSONField(default=dict)
    ip = models.CharField(max_length=45, blank=True, default="")
    request_id = models.CharField(max_length=64, blank=True, default="")
    previous = models.CharField(max_length=64, blank=True, default="")
    digest = models.CharField(max_length=64)
    # Empty in entries of releases that had no key. With a default of the database: while it is migrated, such a
    # release inserts rows.
    key_id = models.CharField(max_length=16, blank=True, default="", db_default="")

    class Meta:
        indexes = [
            models.Index(fields=["target_id", "seq"], name="audit_target"),
            models.Index(fields=["actor", "seq"], name="audit_actor"),
        ]
        ordering = ["-seq"]
        verbose_name_plural = "audit log"

    def __str__(self) -> str:
        return f"#{self.seq} {self.action}"
