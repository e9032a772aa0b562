"""The tables and the plot of what was measured: medians of the ratios within each round, and their spread."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

Row = dict[str, Any]

README = Path(__file__).resolve().with_name("README.md")
BEGIN, END = "<!-- begin of the figures -->", "<!-- end of the figures -->"
OURS = "ours"
# The scenarios with a load: their rows have CPU and latencies.
LOADS = ("fanout", "send", "latency")
CPU_OF_A_MESSAGE = {"CPU of a message, us": lambda row: row["server_cpu"] / row["sent"] * 1e6}
# The costs that are compared, by scenario. Less is better.
COSTS: dict[str, dict[str, Callable[[Row], float]]] = {
    "fanout": {"CPU of a delivery, us": lambda row: row["server_cpu"] / row["delivered"] * 1e6},
    "send": CPU_OF_A_MESSAGE,
    "latency": CPU_OF_A_MESSAGE,
    "connections": {
        "CPU of an accept, us": lambda row: 1e6 / row["accepts_per_cpu"],
        "memory of a socket, kB": lambda row: row["bytes_each"] / 1000,
    },
}


class Ratio(NamedTuple):
    """One cost of a peer compared with ours: medians of both, and peer over ours in each round."""

    scenario: str
    shape: str
    peer: str
    figure: str
    ours: float
    theirs: float
    each: list[float]


def ratios(rows: list[Row]) -> list[Ratio]:
    """The ratios of all peers. Rounds that only one of the two took part in are left out."""
    costs: dict[tuple[str, str, str], dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        for figure, cost in COSTS.get(row["scenario"], {}).items():
            key = (row["scenario"], row["shape"], figure)
            costs[key][row["contender"]][row["round"]] = cost(row)
    found = []
    for (scenario, shape, figure), by_contender in costs.items():
        for peer, theirs in by_contender.items():
            name = ours_for(peer)
            ours = by_contender.get(name, {})
            rounds = sorted(ours.keys() & theirs.keys())
            if peer != name and rounds:
                medians = median(ours.values()), median(theirs.values())
                each = [theirs[number] / ours[number] for number in rounds]
                found.append(Ratio(scenario, shape, peer, figure, *medians, each))
    return found


def ours_for(peer: str) -> str:
    """The contender that `peer` is compared with: `before, whole` with `ours, whole`, others with `ours`."""
    _, comma, part = peer.partition(", ")
    return f"{OURS}{comma}{part}"


def table(measured: dict[str, Any]) -> str:
    rows = measured["rows"]
    lines = [
        "| scenario | shape | against | figure | ours | theirs | ratio, median (spread) |",
        "|---|---|---|---|---|---|---|",
    ]
    for found in ratios(rows):
        each = found.each
        spread = f"{median(each):.2f} ({min(each):.2f} to {max(each):.2f}, {len(each)} rounds)"
        where = f"| {found.scenario} | {found.shape} | {found.peer} | {found.figure}"
        lines.append(f"{where} | {found.ours:.1f} | {found.theirs:.1f} | {spread} |")
    lines += ["", *latencies(rows), *_parts(rows), "", *_others(rows)]
    return "\n".join(lines)


def _parts(rows: list[Row]) -> list[str]:
    """CPU of each part and latencies, by contender."""
    lines = [
        "| scenario | shape | contender | sent | server CPU s | Redis | database | generator | p50 ms | p99 ms |"
    ]
    lines.append("|---|---|---|---|---|---|---|---|---|---|")
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row["scenario"] in LOADS:
            groups[row["scenario"], row["shape"], row["contender"]].append(row)
    for key, group in groups.items():
        names = ("sent", "server_cpu", "redis_cpu", "database_cpu", "generator_cpu")
        figures = [f"{median(row.get(name, 0) for row in group):.4g}" for name in names]
        figures += [f"{median(row[name] for row in group) * 1000:.3g}" for name in ("p50", "p99")]
        lines.append("| " + " | ".join([*key, *figures]) + " |")
    return lines


def latencies(rows: list[Row]) -> list[str]:
    """p99 from send to receive at the same rate: ours over the peer's, in each round."""
    found: dict[int, dict[str, float]] = defaultdict(dict)
    for row in rows:
        if row["scenario"] == "latency":
            found[row["round"]][row["contender"]] = row["p99"]
    each = [p99[OURS] / p99["node"] for p99 in found.values() if len(p99) == 2]
    if not each:
        return []
    return [
        f"p99 at half of the slower one's capacity, ours over node's: {median(each):.2f} of {len(each)} rounds",
        "",
    ]


def _others(rows: list[Row]) -> list[str]:
    """The scenarios without a load of their own, each with its own figures."""
    lines = ["| scenario | shape | contender | figures, medians |", "|---|---|---|---|"]
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row["scenario"] not in LOADS:
            groups[row["scenario"], row["shape"], row["contender"]].append(row)
    for key, group in groups.items():
        lines.append("| " + " | ".join([*key, FIGURES[key[0]](group)]) + " |")
    return lines


def _connections(group: list[Row]) -> str:
    kilobytes = median(row["bytes_each"] for row in group) / 1000
    return f"{kilobytes:.1f} kB a socket, {median(row['accepts_per_cpu'] for row in group):.0f} accepts/CPU-s"


def _stuck(group: list[Row]) -> str:
    grown, p99 = median(row["grown_bytes"] for row in group), median(row["p99"] for row in group)
    return f"memory {grown / 1e6:+.1f} MB, neighbours' p99 {p99 * 1000:.1f} ms"


def _history(group: list[Row]) -> str:
    server = median(row["server_cpu"] / row["pages"] for row in group) * 1000
    database = median(row["database_cpu"] / row["pages"] for row in group) * 1000
    return f"{server:.2f} ms CPU a page" + (f", {database:.2f} ms of the database" if database else "")


FIGURES = {"connections": _connections, "stuck": _stuck, "history": _history}


def write(measured: dict[str, Any], path: Path) -> None:
    """Print the tables, and write them and the plot beside the figures; those of `results/` into the README too."""
    text = "\n".join([table(measured), "", *_circumstances(measured)])
    print(text)
    path.with_suffix(".md").write_text(text + "\n")
    plot(measured, path.with_suffix(".png"))
    if path.resolve().parent == README.parent / "results":
        before, _, rest = README.read_text().partition(BEGIN)
        shown = f"{text}\n\n![their cost over ours](results/{path.stem}.png)"
        README.write_text(f"{before}{BEGIN}\n{shown}\n{END}{rest.partition(END)[2]}")


def _circumstances(measured: dict[str, Any]) -> list[str]:
    """Machine and versions, and the load average when each scenario began."""
    lines = ["; ".join(f"{name} {value}" for name, value in measured["machine"].items())]
    loads: dict[str, list[float]] = defaultdict(list)
    for row in measured["rows"]:
        loads[row["scenario"]].append(row["load_average"])
    return [*lines, "", *(f"Load average, {name}: {median(each):.1f}  " for name, each in loads.items())]


def plot(measured: dict[str, Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    found = ratios(measured["rows"])
    if not found:
        return
    figure, axes = pyplot.subplots(figsize=(9, 1 + 0.5 * len(found)))
    for position, ratio in enumerate(reversed(found)):
        each = ratio.each
        axes.barh(position, median(each), color="#4878a8" if median(each) >= 1 else "#b85450")
        axes.plot([min(each), max(each)], [position, position], color="black", linewidth=1.5)
        axes.text(max(each) * 1.05, position, f"{median(each):.2f}", va="center")
    labels = [f"{one.scenario} {one.shape}, {one.figure}\nagainst {one.peer}" for one in reversed(found)]
    axes.set_yticks(range(len(found)), labels, fontsize=8)
    axes.axvline(1, color="grey", linestyle="--", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("their cost over ours (right of the line we are cheaper)")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
