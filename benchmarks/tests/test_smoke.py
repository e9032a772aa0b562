"""That the benchmark runs and counts right, on each contender; how fast any of them is is not asked here."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmarks import report
from benchmarks.clients import BadFrame, ChatCodec, Client, Crowd, content_of
from benchmarks.contenders import NODE
from benchmarks.runner import Plan, Runner

pytestmark = [
    pytest.mark.once,  # it brings databases of its own
    pytest.mark.skipif(
        shutil.which("node") is None or not (NODE / "node_modules").exists(),
        reason="npm has installed no peers",
    ),
]


@pytest.mark.timeout(400)
def test_bench_when_run_then_every_contender_delivers_all_and_the_report_names_them(tmp_path: Path):
    out = tmp_path / "measured.json"
    shapes = ["concurrent-20", "concurrent-1"]
    plan = Plan(
        rounds=1, cpu_seconds=0.05, shapes=shapes, sockets=1, messages=[200, 400], databases=["SQLite"]
    )
    measured = Runner(plan, out).run(["history", "fanout", "send"])
    pages, measured["rows"] = measured["rows"][:4], measured["rows"][4:]
    assert [row["shape"] for row in pages] == [
        "last page of 200", "last page of 400", "middle page of 200", "middle page of 400"
    ]  # fmt: skip
    assert [(row["scenario"], row["contender"]) for row in measured["rows"]] == [
        ("fanout", "ours"),
        ("fanout", "socket.io"),
        ("fanout", "channels tutorial"),
        ("send", "ours"),
        ("send", "node"),
    ]
    for row in measured["rows"]:
        assert row["delivered"] == row["sent"] * (200 if row["scenario"] == "fanout" else 10) > 0
        assert row["server_cpu"] > 0
        assert row["generator_cpu"] > 0
    report.write(measured, out)
    assert json.loads(out.read_text())["machine"]["python"]
    assert "socket.io" in out.with_suffix(".md").read_text()
    assert out.with_suffix(".png").stat().st_size > 1_000


@pytest.mark.parametrize(
    "numbers", [[1], [0, 0], [0, 2]], ids=["the first is missing", "one came twice", "one is missing"]
)
async def test_client_when_a_message_is_not_the_next_of_its_sender_then_the_run_fails(numbers: list[int]):
    crowd = Crowd(ChatCodec())
    client = Client(crowd, 0, "room", "token")
    crowd.sent_at |= {(7, number): 0.0 for number in range(3)}

    def take(number: int) -> None:
        frame: dict[str, Any] = {"roomId": "room", "content": content_of(7, number)}
        client._take(crowd.decode(json.dumps({"event": "message:receive", "data": frame}).encode()))

    for number in numbers[:-1]:
        take(number)
    with pytest.raises(BadFrame):
        take(numbers[-1])


def test_ratios_when_rounds_differ_then_medians_are_of_the_ratios_within_each_round():
    costs = [("ours", 1, 1.0), ("node", 1, 2.0), ("ours", 2, 10.0), ("node", 2, 15.0), ("ours", 3, 1.0)]
    rows = [
        {"scenario": "send", "shape": "s", "contender": who, "round": number, "server_cpu": cpu, "sent": 1}
        for who, number, cpu in costs
    ]
    [(_, _, peer, _, _, each)] = report.ratios(rows)
    assert (peer, each) == ("node", [2.0, 1.5])
