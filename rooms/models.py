"""Rooms and their members. Of messages they have only the seqs and the last id."""

from uuid import UUID

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from foundation import times
from foundation.durations import MAX_DAYS
from foundation.folded_field import FoldedField
from foundation.ids import uuid7

# The bound of RETENTION_DAYS too.
MAX_RETENTION_DAYS = MAX_DAYS


class Room(models.Model):
    """A group, or the one direct room of two users.

    `last_seq`, `last_message_id` and `last_activity_at` are cached for lists. The writer moves them with its
    batches (rooms.marks), and after a crash they may be behind the log. A deleted room keeps its row and its log
    for the moderators, but has no members. Nobody can write in a locked room. Messages before `first_seq` are
    archived and no longer in the database.

    CONTRIBUTING.md lists what belongs to a new field ("A new field of a room").
    """

    class Kind(models.TextChoices):
        GROUP = "group"
        DIRECT = "direct"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False, db_column="_id")
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.GROUP)
    name = models.CharField(max_length=100, blank=True, default="")
    search_name = FoldedField(source="name")
    meta = models.JSONField(default=dict, blank=True)
    # "<smaller user id>:<larger user id>" in a direct room. Unique, so two users who open it at once get one room.
    direct_key = models.CharField(max_length=73, null=True, blank=True, unique=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", editable=False
    )
    created_at = models.DateTimeField(default=times.now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_seq = models.BigIntegerField(default=0, editable=False)
    # Lets a list of rooms read its last messages by primary key. May not be the message of last_seq: compare
    # before use.
    last_message_id = models.UUIDField(null=True, editable=False)
    last_activity_at = models.DateTimeField(default=times.now, editable=False)
    locked_at = models.DateTimeField(null=True, blank=True, editable=False)
    first_seq = models.BigIntegerField(default=1, editable=False)
    retention_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(MAX_RETENTION_DAYS)],
        help_text="Archive messages after so many days; 0: never; empty: RETENTION_DAYS says.",
    )

    class Meta:
        indexes = [models.Index(fields=["-last_activity_at"], name="room_activity")]
        ordering = ["-last_activity_at"]

    def __str__(self) -> str:
        return self.name or f"{self.kind} {self.pk}"


class Membership(models.Model):
    """One user's membership of one room: role, mute, and two watermarks, which only move up.

    `joined_seq` is the head of the room when the user joined. The user may read older messages, and sends no
    receipts for them.
    """

    class Role(models.TextChoices):
        OWNER = "owner"
        ADMIN = "admin"
        MEMBER = "member"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False, db_column="_id")
    room = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=8, choices=Role.choices, default=Role.MEMBER)
    muted_until = models.DateTimeField(null=True, blank=True)
    joined_at = models.DateTimeField(default=times.now, editable=False)
    joined_seq = models.BigIntegerField(default=0, editable=False)
    delivered_seq = models.BigIntegerField(default=0)
    read_seq = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["room", "user"], name="membership_once")]
        ordering = ["joined_at", "pk"]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.room_id} as {self.role}"

    @classmethod
    def create_at_head(cls, *, room: Room, user_id: UUID, role: str = Role.MEMBER) -> "Membership":
        """Store a membership with all messages read. Raises IntegrityError for a member."""
        seqs = dict.fromkeys(("joined_seq", "delivered_seq", "read_seq"), room.last_seq)
        return cls.objects.create(room=room, user_id=user_id, role=role, **seqs)


def direct_key(a: UUID, b: UUID) -> str:
    """The key of the two users' direct room, the same for either order."""
    return ":".join(sorted((str(a), str(b))))
