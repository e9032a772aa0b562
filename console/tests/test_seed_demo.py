"""`manage.py seed_demo` on a database of its own. About ten seconds."""

import re

import pytest
from django.core.management import CommandError, call_command

from tests.kit.servers import ChatServer
from tests.kit.users import ChatUser

SIZES = ("--users", "12", "--groups", "4", "--direct-rooms", "5", "--messages", "1500", "--days", "7")


def logged_in(server: ChatServer, email: str, password: str) -> ChatUser:
    with server.http() as http:
        answer = http.post("/api/auth/login", json={"email": email, "password": password})
    assert answer.status_code == 200, answer.text
    return ChatUser(server, answer.json())


async def test_seed_demo_when_run_then_its_users_can_go_on_chatting(
    start_server: type[ChatServer],
) -> None:
    server = start_server(own_database=True)  # check_integrity reads the whole database
    shown = server.manage("seed_demo", *SIZES, "--seed", "3").stdout
    password = re.findall(r"password (\S+)", shown)[0]
    assert "12 users, 4 groups, 1500 messages" in shown
    assert "No problems found." in server.manage("check_integrity").stdout

    ada = logged_in(server, "ada@demo.example", password)
    rooms = ada.http.get("/api/rooms", params={"limit": 50}).json()["results"]
    general = next(room for room in rooms if room["name"] == "general")
    history = ada.history(general["id"])
    assert [message["seq"] for message in history] == list(
        range(general["lastSeq"] - 199, general["lastSeq"] + 1)
    )
    assert [message["id"] for message in history] == sorted(message["id"] for message in history)
    assert [message["createdAt"] for message in history] == sorted(
        message["createdAt"] for message in history
    )
    assert general["lastMessage"]["id"] == history[-1]["id"]
    assert len({message["from"] for message in history}) > 3
    async with ada.connect() as client:
        sent = await client.reply("message:send", {"roomId": general["id"], "content": "I am new here."})
        assert sent["seq"] == general["lastSeq"] + 1

    again = server.manage("seed_demo", *SIZES, check=False)
    assert again.returncode == 1
    assert "--name" in again.stderr
    assert "Traceback" not in again.stderr
    server.manage("seed_demo", *SIZES, "--seed", "3", "--name", "other", "--password", "the same for all")
    other = logged_in(server, "ada@other.example", "the same for all")
    rooms = other.http.get("/api/rooms", params={"limit": 50}).json()["results"]
    twin = next(room for room in rooms if room["name"] == "general")
    assert [m["content"] for m in other.history(twin["id"])] == [m["content"] for m in history]


@pytest.mark.once  # nothing is written
@pytest.mark.parametrize(
    "option",
    ["--users=1", "--days=0", "--days=18251", "--days=nan", "--days=\u00b2", "--messages=" + "9" * 400],
)
def test_seed_demo_when_a_number_is_out_of_range_then_names_it(option: str) -> None:
    with pytest.raises(CommandError, match=f"{option.partition('=')[0]}: give a whole number from"):
        call_command("seed_demo", option)
