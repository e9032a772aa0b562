"""The benchmark runs, and counts every delivery, for each contender. Speed is not tested."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmarks import report
from benchmarks.clients import Client, Crowd
from benchmarks.contenders import NODE, OurHub
from benchmarks.frame_codecs import BadFrame, ChatCodec, content_of
from benchmarks.plan import Plan
from benchmarks.runner import Runner
from tests.kit.paths import ROOT
from tests.kit.redis_servers import RedisServer

pytestmark = pytest.mark.once  # it brings databases of its own

needs_peers = pytest.mark.skipif(
    shutil.which("node") is None or not (NODE / "node_modules").exists(),
    reason="npm has installed no peers",
)


@needs_peers
@pytest.mark.timeout(400)
def test_bench_when_run_then_each_contender_delivers_all(tmp_path: Path):
    out = tmp_path / "measured.json"
    shapes = ["concurrent-20", "concurrent-1"]
    plan = Plan(
        rounds=1, cpu_seconds=0.05, shapes=shapes, sockets=1, messages=[200, 400], databases=["SQLite"],
        before=ROOT,
    )  # fmt: skip
    measured = Runner(plan, out).run(["history", "fanout", "send"])
    pages, measured["rows"] = measured["rows"][:4], measured["rows"][4:]
    assert [row["shape"] for row in pages] == [
        "last page of 200", "last page of 400", "middle page of 200", "middle page of 400"
    ]  # fmt: skip
    assert [(row["scenario"], row["contender"]) for row in measured["rows"]] == [
        ("fanout", "ours"),
        ("fanout", "before"),
        ("fanout", "socket.io"),
        ("fanout", "channels tutorial"),
        ("send", "ours"),
        ("send", "before"),
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


@pytest.mark.parametrize("numbers", [[1], [0, 0], [0, 2]], ids=["first missing", "repeated", "missing"])
async def test_client_when_a_message_is_not_the_next_then_the_run_fails(numbers: list[int]):
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


def test_ratios_when_rounds_differ_then_each_is_of_one_round():
    costs = [("ours", 1, 1.0), ("node", 1, 2.0), ("ours", 2, 10.0), ("node", 2, 15.0), ("ours", 3, 1.0)]
    rows = [
        {"scenario": "send", "shape": "s", "contender": who, "round": number, "server_cpu": cpu, "sent": 1}
        for who, number, cpu in costs
    ]
    [ratio] = report.ratios(rows)
    assert (ratio.peer, ratio.each) == ("node", [2.0, 1.5])


def test_ratios_when_a_product_is_whole_then_compare_with_whole():
    figures = {"ours": (10, 1000), "before": (20, 500), "ours, whole": (30, 100), "before, whole": (60, 50)}
    rows = [
        {"scenario": "connections", "shape": "s", "contender": who, "round": 0, "bytes_each": size,
         "accepts_per_cpu": accepts}
        for who, (size, accepts) in figures.items()
    ]  # fmt: skip
    found = {(ratio.peer, ratio.figure): ratio.each for ratio in report.ratios(rows)}
    assert len(found) == 4
    assert set(map(tuple, found.values())) == {(2.0,)}


def test_before_when_a_checkout_is_named_then_its_code_runs(tmp_path: Path):
    for entry in ROOT.iterdir():
        (tmp_path / entry.name).symlink_to(entry)
    redis = RedisServer()
    hub = OurHub(redis, name="before", root=tmp_path)
    try:
        redis.start()
        tokens, _ = hub.start(2, 2)
        assert len(tokens) == 2
        assert Path(os.readlink(f"/proc/{hub.pid}/cwd")) == tmp_path
    finally:
        hub.stop()
        redis.stop()
