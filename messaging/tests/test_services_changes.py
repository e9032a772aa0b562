"""Edits and deletions: permissions, events and revisions. Takes about five seconds."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import NotSupportedError, transaction

from accounts.models import User
from foundation.immutable import Immutable
from messaging.models import Message, MessageRevision
from rooms.models import Room
from tests.kit.clients import ChatSocketClient
from tests.kit.errors import check_error, error_of
from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

from .test_services_send import MESSAGE_KEYS, NOBODY

REVISIONS = """
import json
from messaging.models import Message, MessageRevision
print(json.dumps({{
    "revisions": [
        [r.version, r.content, r.meta, str(r.written_by_id)]
        for r in MessageRevision.objects.filter(message_id="{id}")
    ],
    "deleted_by": [str(m.deleted_by_id) for m in Message.objects.filter(pk="{id}", deleted_at__isnull=False)],
}}))
"""


def history_of_changes(server: ChatServer, message_id: str) -> dict[str, Any]:
    shown = server.manage("shell", "-v0", "-c", REVISIONS.format(id=message_id)).stdout
    return dict(json.loads(shown.strip().splitlines()[-1]))


@pytest.fixture
def room_id(ann: ChatUser, ben: ChatUser, cleo: ChatUser) -> str:
    return ann.make_room(ben, cleo)


def path_of(message: dict[str, Any]) -> str:
    return f"/api/rooms/{message['roomId']}/messages/{message['id']}"


async def changed(client: ChatSocketClient, event: str, message: dict[str, Any]) -> dict[str, Any]:
    frame = await client.expect(
        lambda frame: frame["event"] == event and frame["data"]["id"] == message["id"]
    )
    return dict(frame["data"])


@pytest.mark.smoke
async def test_message_when_edited_then_all_members_get_the_same_version(
    room_id: str, server: ChatServer, ann: ChatUser, ben: ChatUser
) -> None:
    message = ann.send(room_id, "one", meta={"k": 1}, clientMessageId="c")
    async with ann.connect() as anns, ben.connect() as bens:
        answer = ann.http.patch(path_of(message), json={"content": "two"})
        assert answer.status_code == 200
        edited = answer.json()
        assert set(edited) == MESSAGE_KEYS
        assert edited == {**message, "content": "two", "editedAt": edited["editedAt"]}
        assert edited["editedAt"] >= message["createdAt"]
        assert await changed(bens, "message:updated", message) == edited
        data = {"roomId": room_id, "messageId": message["id"], "content": "three"}
        reply = await anns.reply("message:edit", data)
        received = await changed(bens, "message:updated", message)
        assert reply == received == ben.history(room_id)[0]
        assert (received["content"], received["meta"], received["seq"]) == ("three", {"k": 1}, 1)
    assert history_of_changes(server, message["id"])["revisions"] == [
        [1, "one", {"k": 1}, ann.id],
        [2, "two", {"k": 1}, ann.id],
    ]


async def test_message_when_edited_to_its_own_text_then_nothing_changes(
    server: ChatServer, alice: ChatUser, bob: ChatUser
) -> None:
    room_id = alice.make_room(bob)  # of users who share no other room, so that no presence events come
    message = alice.send(room_id, "same")
    async with alice.connect() as client, bob.connect() as bobs:
        answer = alice.http.patch(path_of(message), json={"content": "same"})
        assert (answer.status_code, answer.json()) == (200, message)
        data = {"roomId": room_id, "messageId": message["id"], "content": "same"}
        assert await client.reply("message:edit", data) == message
        await bobs.read_all()
        events = [frame["event"] for frame in [*client.frames, *bobs.frames]]
        assert "message:updated" not in events
    assert history_of_changes(server, message["id"])["revisions"] == []
    assert alice.history(room_id) == [message]


async def test_message_when_deleted_then_seq_stays_and_a_revision_has_the_text(
    room_id: str, server: ChatServer, ann: ChatUser, ben: ChatUser, cleo: ChatUser
) -> None:
    bens_own, bens_other = ben.send(room_id, "mine", meta={"k": 1}), ben.send(room_id, "rude")
    async with ben.connect() as client, cleo.connect() as cleos:
        data = {"roomId": room_id, "messageId": bens_own["id"]}
        tombstone = await client.reply("message:delete", data)
        assert tombstone == await changed(cleos, "message:deleted", bens_own)
        answer = ann.http.delete(path_of(bens_other))
        assert (answer.status_code, answer.content) == (204, b"")
        assert (await changed(cleos, "message:deleted", bens_other))["content"] == ""
        for message in (bens_own, bens_other):
            error_of(ben.http.delete(path_of(message)), 404, "not_found")
            error_of(ben.http.patch(path_of(message), json={"content": "x"}), 404, "not_found")
            data = {"roomId": room_id, "messageId": message["id"]}
            check_error(await client.error("message:delete", data), "not_found")
    assert tombstone == {**bens_own, "content": "", "type": "deleted", "meta": {}}
    assert [(m["seq"], m["content"], m["type"]) for m in ann.history(room_id)] == [
        (1, "", "deleted"),
        (2, "", "deleted"),
    ]
    changes = history_of_changes(server, bens_other["id"])
    assert changes == {"revisions": [[1, "rude", {}, ben.id]], "deleted_by": [ann.id]}
    assert history_of_changes(server, bens_own["id"])["revisions"] == [[1, "mine", {"k": 1}, ben.id]]
    assert ann.send(room_id, "next")["seq"] == 3


async def test_message_when_changed_by_others_then_only_an_admin_may_delete(
    alice: ChatUser, bob: ChatUser, carol: ChatUser
) -> None:
    room_id = alice.make_room(bob, carol)  # of users who share no other room, so that no presence events come
    message = bob.send(room_id, "bobs")
    for user in (alice, carol):
        error_of(user.http.patch(path_of(message), json={"content": "x"}), 403, "forbidden")
    error_of(carol.http.delete(path_of(message)), 403, "forbidden")
    async with carol.connect() as client:
        data = {"roomId": room_id, "messageId": message["id"]}
        check_error(await client.error("message:edit", {**data, "content": "x"}), "forbidden")
        check_error(await client.error("message:delete", data), "forbidden")
        assert await client.read_all() == []
    assert alice.history(room_id) == [message]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "content"),
        ({"content": ""}, "content"),
        ({"content": "x" * 4001}, "content"),
        ({"content": "\x00"}, "content"),
        ({"content": 5}, "content"),
        ({"content": "x", "meta": {}}, "meta"),
    ],
)
async def test_message_when_edited_with_bad_fields_then_is_unchanged(
    room_id: str, ann: ChatUser, body: dict[str, Any], field: str
) -> None:
    message = ann.send(room_id, "stays")
    error_of(ann.http.patch(path_of(message), json=body), 400, "invalid", field)
    async with ann.connect() as client:
        data = {"roomId": room_id, "messageId": message["id"], **body}
        check_error(await client.error("message:edit", data), "invalid", field)
    assert ann.history(room_id) == [message]


async def test_message_when_of_another_room_then_changing_is_not_found(room_id: str, ann: ChatUser) -> None:
    elsewhere = ann.send(ann.make_room(), "x")["id"]
    async with ann.connect() as client:
        for message_id in (elsewhere, NOBODY):
            message = {"roomId": room_id, "id": message_id}
            error_of(ann.http.patch(path_of(message), json={"content": "x"}), 404, "not_found")
            error_of(ann.http.delete(path_of(message)), 404, "not_found")
            data = {"roomId": room_id, "messageId": message_id}
            check_error(await client.error("message:edit", {**data, "content": "x"}), "not_found")
            check_error(await client.error("message:delete", data), "not_found")
    error_of(ann.http.delete(f"/api/rooms/{room_id}/messages/1"), 404, "not_found")


def test_message_when_edited_concurrently_then_every_version_is_kept(
    room_id: str, server: ChatServer, ann: ChatUser
) -> None:
    message = ann.send(room_id, "v0")
    contents = [f"v{n}" for n in range(1, 5)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(
                lambda text: ann.server.http(ann).patch(path_of(message), json={"content": text}), contents
            )
        )
    assert {answer.status_code for answer in answers} <= {200, 409}
    done = [text for text, answer in zip(contents, answers, strict=True) if answer.status_code == 200]
    revisions = history_of_changes(server, message["id"])["revisions"]
    assert [revision[0] for revision in revisions] == [*range(1, len(done) + 1)]
    assert {revision[1] for revision in revisions} | {ann.history(room_id)[0]["content"]} == {"v0", *done}


@pytest.mark.django_db
def test_revision_when_changed_or_deleted_then_refuses() -> None:
    user = User.objects.create(username="x", username_key="x", email="x@example.com")
    message = Message.objects.create(room=Room.objects.create(), seq=1, sender=user, content="now")
    revision = MessageRevision.objects.create(
        message=message, version=1, content="before", written_by=user, written_at=message.created_at
    )
    revision.content = "forged"
    for attempt in (
        revision.save,
        revision.delete,
        lambda: MessageRevision.objects.update(content="forged"),
        lambda: MessageRevision.objects.all().delete(),
        lambda: MessageRevision.objects.filter(pk=revision.pk).update(content="forged"),
        lambda: MessageRevision.objects.bulk_update([revision], ["content"]),
        lambda: MessageRevision.objects.update_or_create(pk=revision.pk, defaults={"content": "forged"}),
        lambda: MessageRevision.objects.bulk_create(
            [MessageRevision(pk=revision.pk, message=message, version=1, content="forged", written_by=user)],
            update_conflicts=True,
            update_fields=["content"],
            unique_fields=["id"],
        ),
    ):
        # NotSupportedError: update_or_create() locks a row, which the MongoDB engine refuses
        with pytest.raises((Immutable, NotSupportedError)), transaction.atomic():
            attempt()
    assert MessageRevision.objects.get().content == "before"
