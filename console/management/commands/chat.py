"""`manage.py chat NAME`: chat in a terminal through a running server, with the reference client.

It reads and writes lines. `console.terminal` interprets them.
"""

import asyncio
import getpass
import os
import sys
import threading
from argparse import ArgumentParser
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from chat_client import ChatClient, ChatError, SignedOut
from console.terminal import Terminal

try:
    import readline
except ImportError:
    # This Python has no readline: arriving lines interrupt the line that is being typed.
    readline = None  # type: ignore[assignment]

PROMPT = "> "


class Command(BaseCommand):
    help = "Chat in this terminal. NAME is a username or an email; a new name is signed up."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument(
            "--room", default="", help="name or id of a room, or a username for a direct room"
        )
        parser.add_argument("--url", default=f"http://{settings.HOST}:{settings.PORT}", help="%(default)s")
        parser.add_argument(
            "--email", default="", help="default: NAME, or NAME@example.com if NAME is not an email"
        )

    def handle(self, *args: Any, name: str, room: str, url: str, email: str, **options: Any) -> None:
        email = email or (name if "@" in name else f"{name}@example.com")
        # CHAT_PASSWORD is for scripts. Everyone on the machine could see an argument.
        given = os.environ.get("CHAT_PASSWORD")  # noqa: TID251  # of this command, no setting of the server
        password = given or getpass.getpass(f"Password of {email}: ")
        try:
            with terminal_restored():
                asyncio.run(chat(url, name.partition("@")[0], email, password, room))
        except ChatError as error:
            raise CommandError(explained(error)) from error
        except SignedOut as error:
            raise CommandError(f"You are logged out: {error}") from error
        except httpx.HTTPError as error:
            raise CommandError(f"No server answers at {url}; start it with `make run`. ({error})") from error
        except KeyboardInterrupt:
            pass


async def chat(url: str, username: str, email: str, password: str, room: str) -> None:
    """Log in, or sign up if there is no such account, and chat until the lines or the session end."""
    terminal = Terminal(write)
    options = {"on_event": terminal.on_event}
    try:
        client, known = await ChatClient.login(url, email, password, **options), True
    except ChatError as error:
        if error.code != "invalid_credentials":
            raise
        body = {"username": username, "email": email, "password": password}
        client, known = await ChatClient.signup(url, body, **options), False
    terminal.connect(client)
    async with client:
        write(f"{'Welcome back' if known else 'Signed up as'} {username}. /help lists the commands.")
        # The session can end while nobody types.
        tasks = [asyncio.create_task(work) for work in (talk(terminal, room), client.until_signed_out())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def talk(terminal: Terminal, room: str) -> None:
    if room:
        await terminal.run(once(f"/join {room}"))
    else:
        await terminal.show_rooms()
    await terminal.run(typed_lines())


async def once(line: str) -> AsyncIterator[str]:
    yield line


async def typed_lines() -> AsyncIterator[str]:
    """Lines of standard input, read by a daemon thread: a thread that waits for a key cannot be ended."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()

    def read() -> None:
        try:
            while True:
                line = input(PROMPT if sys.stdin.isatty() else "")
                loop.call_soon_threadsafe(lines.put_nowait, line)
        except (EOFError, RuntimeError, ValueError):
            # The input or the loop has ended.
            pass
        try:
            loop.call_soon_threadsafe(lines.put_nowait, None)
        except RuntimeError:
            pass

    threading.Thread(target=read, name="terminal", daemon=True).start()
    while (line := await lines.get()) is not None:
        yield line


def write(line: str) -> None:
    """Print a line above the line that is being typed."""
    shown = printable(line)
    if sys.stdin.isatty() and sys.stdout.isatty():
        typed = readline.get_line_buffer() if readline else ""
        shown = f"\r\x1b[K{shown}\n{PROMPT}{typed}"
        print(shown, end="", flush=True)
    else:
        print(shown, flush=True)


def printable(line: str) -> str:
    """The line without control characters: other users wrote it, and it must not move the cursor."""
    return "".join(char if char.isprintable() or char == "\n" else "�" for char in line)


@contextmanager
def terminal_restored() -> Iterator[None]:
    """Restore the mode of the terminal at the end, even if the thread that reads is in the middle of a line."""
    if not sys.stdin.isatty():
        yield
        return
    # Windows has no termios.
    import termios

    before = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
        print()


def explained(error: ChatError) -> str:
    """The error with its fields. A conflict at sign-up means that the account exists and the password was wrong."""
    fields = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in error.fields.items())
    if error.code == "conflict":
        return f"This account exists, and this is not its password. ({fields or error})"
    return f"The server refused: {error} {fields}".rstrip()
