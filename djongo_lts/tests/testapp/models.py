"""Models with every kind of field and index that the engine supports."""

import uuid

from django.db import models
from django.db.models import Q


class Room(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, db_column="_id")
    name = models.CharField(max_length=100)
    slug = models.SlugField(null=True, unique=True)  # noqa: DJ001
    rank = models.IntegerField(null=True)
    open = models.BooleanField(default=True)
    founded = models.DateField(null=True)

    def __str__(self):
        return self.name


class Tag(models.Model):
    name = models.CharField(max_length=50)

    class Meta:
        ordering = ["name"]

    def __str__(self):
        return self.name


class Message(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, db_column="_id")
    room = models.ForeignKey(Room, models.CASCADE, related_name="messages", db_index=False)
    author = models.ForeignKey("auth.User", models.SET_NULL, null=True, related_name="messages")
    reply_to = models.ForeignKey("self", models.SET_NULL, null=True, related_name="replies")
    seq = models.BigIntegerField()
    content = models.TextField(default="")
    note = models.CharField(max_length=100, null=True)  # noqa: DJ001
    client_id = models.CharField(max_length=64, null=True)  # noqa: DJ001
    score = models.FloatField(null=True)
    price = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    meta = models.JSONField(default=dict)
    extra = models.JSONField(null=True)
    at = models.DateTimeField()
    edited = models.DateTimeField(null=True)
    alarm = models.TimeField(null=True)
    took = models.DurationField(null=True)
    pinned = models.BooleanField(default=False)
    tags = models.ManyToManyField(Tag, related_name="messages")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["room", "seq"], name="message_room_seq"),
            models.UniqueConstraint(fields=["room", "author", "client_id"], name="message_client"),
            models.UniqueConstraint(fields=["room"], condition=Q(pinned=True), name="one_pinned"),
        ]
        indexes = [
            models.Index(fields=["author", "-at"], name="message_author_at"),
            models.Index(fields=["edited"], condition=Q(edited__isnull=False), name="message_edited"),
        ]

    def __str__(self):
        return f"{self.seq} {self.content}"
