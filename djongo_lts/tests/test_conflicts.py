"""Write conflicts: inserts and writes by primary key are repeated, up to a bound; then OperationalError."""

import socket
import struct
import threading
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import bson
import pytest
from django.db import IntegrityError, OperationalError, connections
from django.db.models import F

from .testapp import make
from .testapp.models import Message, Room, Tag

CONFLICT = {"code": 112, "errmsg": "WriteConflict"}
# A message of MongoDB's protocol has 16 bytes of header, 4 of flags and 1 for the kind of its first section.
BODY = 21


class ConflictingServer:
    """A proxy to the server. It refuses the next `times` commands of the given name with a write conflict.

    With `stored`, it first stores that many documents of an insert, and refuses the next; shorter inserts pass.
    """

    def __init__(self, server_url: str, command: str, times: int, stored: int | None):
        parts = urlsplit(server_url)
        self.behind = (parts.hostname, parts.port)
        self.command, self.times, self.stored = command, times, stored
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"mongodb://127.0.0.1:{self.listener.getsockname()[1]}/?directConnection=true"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client: socket.socket) -> None:
        with suppress(OSError, EOFError), client, socket.create_connection(self.behind) as server:
            while True:
                request = received(client)
                client.sendall(self.answer(request, server))

    def answer(self, request: bytes, server: socket.socket) -> bytes:
        size = struct.unpack_from("<i", request, BODY)[0]
        hit = self.times > 0 and next(iter(bson.decode(request[BODY : BODY + size]))) == self.command
        # After the first section: its kind, its size and its name, then the documents.
        start = BODY + size + 5 + len(b"documents\0")
        documents = bson.decode_all(request[start:]) if hit and self.stored is not None else []
        if not hit or (self.stored is not None and len(documents) <= self.stored):
            server.sendall(request)
            return received(server)
        self.times -= 1
        errors = [{"index": self.stored, **CONFLICT}]
        if not self.stored:
            # The header of a reply has the number of the request.
            head = bytes(8) + request[4:8] + request[12:BODY]
            refused = (
                {"ok": 0.0, **CONFLICT} if self.stored is None else {"ok": 1.0, "n": 0, "writeErrors": errors}
            )
            return resized(head + bson.encode(refused))
        kept = b"".join(map(bson.encode, documents[: self.stored]))
        shorter = struct.pack("<i", start - BODY - size - 1 + len(kept)) + request[BODY + size + 5 : start]
        server.sendall(resized(request[: BODY + size + 1] + shorter + kept))
        reply = received(server)
        return resized(reply[:BODY] + bson.encode({**bson.decode(reply[BODY:]), "writeErrors": errors}))


def received(connection: socket.socket) -> bytes:
    """One message of MongoDB's protocol."""
    message = b""
    while len(message) < 4 or len(message) < struct.unpack_from("<i", message)[0]:
        if not (data := connection.recv(65536)):
            raise EOFError
        message += data
    return message


def resized(message: bytes) -> bytes:
    return struct.pack("<i", len(message)) + message[4:]


@pytest.fixture
def conflicting(server_url, room):
    """Lets the engine's connection run through a ConflictingServer."""

    @contextmanager
    def connected(command: str, times: int, stored: int | None = None):
        wrapper, server = connections["default"], ConflictingServer(server_url, command, times, stored)
        wrapper.settings_dict["CLIENT"]["host"], wrapper.connection = server.url, None
        try:
            yield server
        finally:
            wrapper.settings_dict["CLIENT"]["host"], wrapper.connection = server_url, None
            server.listener.close()

    return connected


def stored_seqs() -> list[int]:
    return list(Message.objects.order_by("seq").values_list("seq", flat=True))


def test_insert_when_it_conflicts_then_is_repeated_and_stored_once(conflicting, room):
    with conflicting("insert", 3) as server:
        make.message(room, 1).save()
    assert server.times == 0
    with conflicting("insert", 3):
        Message.objects.bulk_create([make.message(room, seq) for seq in range(2, 6)])
    with conflicting("insert", 3):
        Message.objects.bulk_create([make.message(room, seq) for seq in range(4, 8)], ignore_conflicts=True)
    assert stored_seqs() == [1, 2, 3, 4, 5, 6, 7]
    with conflicting("findAndModify", 2):
        tags = Tag.objects.bulk_create([Tag(name=name) for name in "abc"])
    assert tags[2].pk == tags[0].pk + 2


def test_insert_when_one_row_conflicts_then_goes_on_from_that_row(conflicting, room):
    with conflicting("insert", 2, stored=2) as server:
        Message.objects.bulk_create([make.message(room, seq) for seq in range(7)])
    assert server.times == 0
    assert stored_seqs() == [0, 1, 2, 3, 4, 5, 6]
    with conflicting("insert", 1, stored=3) as server:
        # The proxy reports only the last row, so the taken key 6 counts as stored.
        Message.objects.bulk_create([make.message(room, seq) for seq in (6, 7, 8, 9)], ignore_conflicts=True)
    assert server.times == 0
    assert stored_seqs() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    with conflicting("insert", 1, stored=1), pytest.raises(IntegrityError):
        Message.objects.bulk_create([make.message(room, seq) for seq in (10, 11, 9, 12)])
    assert stored_seqs()[-2:] == [10, 11]


@pytest.mark.parametrize("ignore", [False, True])
@pytest.mark.parametrize("stored", [None, 0])
def test_insert_when_it_goes_on_conflicting_then_operational_error(conflicting, room, stored, ignore):
    with conflicting("insert", 1000, stored) as server:
        with pytest.raises(OperationalError, match="WriteConflict"):
            Message.objects.bulk_create([make.message(room, seq) for seq in (1, 2)], ignore_conflicts=ignore)
        with pytest.raises(OperationalError, match="WriteConflict"):
            make.message(room, 3).save()
    assert server.times > 900
    assert stored_seqs() == []


def test_write_by_pk_when_it_conflicts_then_is_repeated(conflicting, room):
    with conflicting("update", 2) as server:
        assert Room.objects.filter(pk=room.pk).update(rank=1) == 1
    assert server.times == 0
    with conflicting("update", 2):
        assert Room.objects.filter(pk=room.pk).update(rank=F("rank") + 1) == 1
    assert Room.objects.get().rank == 2
    with conflicting("delete", 2):
        assert Room.objects.filter(pk=room.pk).delete()[0] == 1


def test_update_of_many_when_it_conflicts_then_is_not_repeated(conflicting, room):
    # The server may have updated some of them: a second time would add twice.
    with conflicting("update", 1), pytest.raises(OperationalError):
        Room.objects.filter(name="room").update(rank=F("rank") + 1)
