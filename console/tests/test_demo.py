"""`manage.py demo`. About five seconds."""

from tests.kit.servers import ChatServer


def test_demo_when_run_then_shows_a_chat_and_a_complete_resume(server: ChatServer) -> None:
    shown = server.manage("demo", "--url", server.base_url).stdout
    before, _, after = shown.partition("Bob comes back")
    assert '"content": "Hello Bob!"' in before
    assert '"complete": true, "from": 3, "through": 5' in after
    bobs = [line for line in shown.splitlines() if line.startswith("  bob ← message:receive")]
    assert [f'"seq": {seq},' in line for seq, line in enumerate(bobs, 1)] == [True] * 5
    assert shown.rstrip().endswith('"readBy": []}')


def test_demo_when_no_server_answers_then_says_how_to_start_one(server: ChatServer) -> None:
    run = server.manage("demo", "--url", "http://127.0.0.1:9", check=False)
    assert run.returncode == 1
    assert "make run" in run.stderr
    assert "Traceback" not in run.stderr
