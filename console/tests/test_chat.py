"""`manage.py chat`, with one user at a terminal and one through pipes. About ten seconds."""

import os
import pty
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

import pytest

from tests.kit.paths import ROOT
from tests.kit.servers import ChatServer
from tests.kit.users import PASSWORD, ChatUser
from tests.kit.waiting import wait_until

WAIT_SECONDS = 30.0


class Typist:
    """A chat process: `shown` is its output, and `type` writes a line."""

    def __init__(self, server: ChatServer, *arguments: str, terminal: bool = False) -> None:
        self.shown = ""
        command = [sys.executable, "manage.py", "chat", *arguments, "--url", server.base_url]
        env = {**server.env, "CHAT_PASSWORD": PASSWORD, "PYTHONUNBUFFERED": "1", "TERM": "xterm"}
        if terminal:
            self._out, child = pty.openpty()
            self._in = self._out
            self.process = subprocess.Popen(
                command, env=env, cwd=ROOT, stdin=child, stdout=child, stderr=child, start_new_session=True
            )
            os.close(child)
        else:
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            self.process = subprocess.Popen(command, env=env, cwd=ROOT, stderr=subprocess.STDOUT, **pipes)
            assert self.process.stdin is not None
            assert self.process.stdout is not None
            self._in, self._out = self.process.stdin.fileno(), self.process.stdout.fileno()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._out, 4096)
            except OSError:  # a pty raises this when the other end is closed
                return
            if not piece:
                return
            self.shown += piece.decode(errors="replace")

    def type(self, line: str) -> None:
        os.write(self._in, f"{line}\n".encode())

    def until(self, text: str) -> None:
        try:
            wait_until(lambda: text in self.shown, f"{text!r} is shown", seconds=WAIT_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.shown}") from None

    def wait(self) -> int:
        return self.process.wait(WAIT_SECONDS)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join()


@pytest.fixture
def typist(server: ChatServer) -> Iterator[Callable[..., Typist]]:
    opened: list[Typist] = []

    def open_one(*arguments: str, **options: Any) -> Typist:
        opened.append(Typist(server, *arguments, **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.stop()


def test_chat_when_two_users_chat_then_each_sees_the_other(
    typist: Callable[..., Typist], ann: ChatUser
) -> None:
    newcomer = f"dora_{uuid.uuid4().hex[:8]}"
    ann.send(ann.make_room(name=f"club {newcomer}"), "before you came")
    dora = typist(newcomer, terminal=True)
    dora.until(f"Signed up as {newcomer}")
    dora.until("You have no rooms yet")
    dora.type("hello?")
    dora.until("You are in no room")

    other = typist(ann.email, "--room", newcomer)
    other.until("Welcome back")
    other.until(f"--- {newcomer} ---")
    dora.until(f"You are in {ann.username} now.")
    dora.type("/rooms")
    dora.until(f"1  {ann.username}")
    other.type("Hello Dora!")
    dora.until(f"({ann.username} in another room: Hello Dora!)")
    other.until("✓ delivered to")
    dora.type("/join 1")
    dora.until(f"#1 {ann.username}: Hello Dora!")
    other.until(f"✓✓ read by {newcomer} up to #1")
    other.type("/typing")
    dora.until(f"{ann.username} is typing")
    dora.type("Hello. Ünïcödé too")
    other.until(f"#2 {newcomer}: Hello. Ünïcödé too")
    dora.until("#2 you:")
    other.type("/who")
    other.until(f"{newcomer}: online")
    other.type("/nonsense")
    other.until("/history [N]")
    other.type("/join nobody_of_that_name")
    other.until("Neither a room of yours nor a user")
    other.type(f"/join club {newcomer}")
    other.until("you: before you came")
    dora.type("/quit")
    assert dora.wait() == 0
    other.until(f"{newcomer} is offline")
    other.process.stdin.close()  # the end of the input ends the chat
    assert other.wait() == 0
    assert "Traceback" not in dora.shown + other.shown


def test_chat_when_the_session_ends_while_idle_then_says_so_and_ends(
    typist: Callable[..., Typist], server: ChatServer
) -> None:
    user = server.sign_up()
    chat = typist(user.email, terminal=True)
    chat.until("You have no rooms yet")
    sessions = user.http.get("/api/auth/sessions").json()["results"]
    (session,) = [one for one in sessions if not one["current"]]
    assert user.http.delete(f"/api/auth/sessions/{session['id']}").status_code == 204
    assert chat.wait() == 1
    chat.until("You are logged out")
    assert "Traceback" not in chat.shown


# As a backup from before the second message leaves the database.
OLDER_COPY = """
from django.db.models import QuerySet
from messaging.models import Message
from rooms.models import Membership, Room
later = QuerySet(Message).filter(seq__gt=1)
later._raw_delete(later.db)
Room.objects.update(last_seq=1)
Membership.objects.update(delivered_seq=1, read_seq=1)
"""


def test_chat_when_the_log_is_an_older_copy_then_shows_what_is_new(
    start_server: Callable[..., ChatServer],
) -> None:
    server = start_server()
    ann, ben = server.sign_up(), server.sign_up()
    room_id = ann.make_room(ben)
    for n in range(3):
        ann.send(room_id, f"message {n}")
    chat = Typist(server, ben.email, "--room", room_id)
    try:
        chat.until("message 2")
        server.kill()
        server.manage("shell", "-v0", "-c", OLDER_COPY)
        server.start(migrate=False)
        chat.until("an older copy of this room, up to #1")
        ann.send(room_id, "written anew")
        chat.until("written anew")
    finally:
        chat.stop()


def test_chat_when_it_cannot_start_then_says_why(server: ChatServer, ben: ChatUser) -> None:
    stranger = copy(server)
    stranger.env = {**server.env, "CHAT_PASSWORD": "not the password of ben"}

    def refused(*arguments: str) -> str:
        run = stranger.manage("chat", *arguments, check=False)
        assert run.returncode == 1, run.stdout
        assert "Traceback" not in run.stderr
        return run.stderr

    assert "not its password" in refused(ben.username, "--email", ben.email, "--url", server.base_url)
    assert "make run" in refused("x", "--url", "http://127.0.0.1:9")
