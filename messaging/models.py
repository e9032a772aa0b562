"""The rooms' logs of messages, the earlier versions of changed messages, and the keys of archived ones."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from foundation import times
from foundation.folded_field import FoldedField
from foundation.ids import uuid7
from foundation.immutable import ImmutableModel
from rooms.models import Room


class Message(models.Model):
    """One row of a room's log. `seq` is 1, 2, 3, … in each room, without gaps; a tombstone keeps its seq."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False, db_column="_id")
    # No index: the unique indexes below begin with the room, and one more would slow each insert.
    room = models.ForeignKey(Room, on_delete=models.PROTECT, related_name="+", db_index=False)
    seq = models.BigIntegerField()
    # PROTECT: an account with messages is deactivated and not deleted, so that each message keeps its author.
    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    # None if the client gave none, because only given ids have to be unique.
    client_message_id = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001
    # A digest of the message as sent. It distinguishes a late retry from another message, even after an edit.
    fingerprint = models.CharField(max_length=32, editable=False)
    content = models.TextField()
    search_text = FoldedField(source="content")
    type = models.CharField(max_length=32, default="text")
    meta = models.JSONField(default=dict, blank=True)
    reply_to = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField(default=times.now)
    version = models.IntegerField(default=1)
    edited_at = models.DateTimeField(null=True, blank=True)
    edited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
    )
    deleted_at = models.DateTimeField(null=True, blank=True)
    deleted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
    )
    delete_reason = models.CharField(max_length=500, blank=True, default="")
    # The later of edited_at and deleted_at, for resume.
    changed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["room", "seq"], name="message_seq_once"),
            models.UniqueConstraint(
                fields=["room", "sender", "client_message_id"],
                condition=Q(client_message_id__isnull=False),
                name="message_client_id_once",
            ),
        ]
        indexes = [
            # For the moderators' pages: the latest messages of a user.
            models.Index(fields=["sender", "id"], name="message_author"),
            models.Index(
                fields=["room", "changed_at"], condition=Q(changed_at__isnull=False), name="message_changes"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.room_id} #{self.seq}"


class MessageRevision(ImmutableModel):
    """An earlier version of a message, with its author and time. Rows are never changed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False, db_column="_id")
    message = models.ForeignKey(Message, on_delete=models.PROTECT, related_name="+", db_index=False)
    version = models.IntegerField()
    content = models.TextField()
    meta = models.JSONField(default=dict)
    written_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    written_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["message", "version"], name="revision_once")]
        ordering = ["version"]

    def __str__(self) -> str:
        return f"version {self.version} of {self.message_id}"


class ArchivedKey(models.Model):
    """Keeps the clientMessageId of an archived message in use, so that a late retry is still a duplicate.

    The id is a digest of (room, sender, clientMessageId), so each key takes one narrow row in one index.
    """

    id = models.UUIDField(primary_key=True, editable=False, db_column="_id")
    message_id = models.UUIDField()
    seq = models.BigIntegerField()
    fingerprint = models.CharField(max_length=32)
    created_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"key of {self.message_id}"
