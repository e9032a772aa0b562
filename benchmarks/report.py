"""The table and the plot of what was measured: medians of the ratios within each round, with their spread.

Knows rows of figures; must not know how they came about.
"""

from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

Row = dict[str, Any]
Key = tuple[str, str]

README = Path(__file__).resolve().with_name("README.md")
BEGIN, END = "<!-- begin of the figures -->", "<!-- end of the figures -->"
OURS = "ours"
UNITS = {"fanout": "delivered", "send": "sent", "latency": "sent"}


def cost(row: Row) -> float:
    """Server CPU for each unit of work, in microseconds."""
    return row["server_cpu"] / row[UNITS[row["scenario"]]] * 1e6


def ratios(rows: list[Row]) -> list[tuple[str, str, str, float, float, list[float]]]:
    """(scenario, shape, peer, our cost, its cost, its cost over ours in each round), medians over the rounds."""
    costs: dict[Key, dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        if row["scenario"] in UNITS:
            costs[row["scenario"], row["shape"]][row["contender"]][row["round"]] = cost(row)
    found = []
    for (scenario, shape), by_contender in costs.items():
        ours = by_contender.get(OURS, {})
        for peer, theirs in by_contender.items():
            rounds = sorted(ours.keys() & theirs.keys())
            if peer != OURS and rounds:
                found.append(
                    (
                        scenario,
                        shape,
                        peer,
                        median(ours.values()),
                        median(theirs.values()),
                        [theirs[number] / ours[number] for number in rounds],
                    )
                )
    return found


def table(measured: dict[str, Any]) -> str:
    rows = measured["rows"]
    lines = [
        "| scenario | shape | against | ours, us | theirs, us | ratio, median (spread) |",
        "|---|---|---|---|---|---|",
    ]
    for scenario, shape, peer, ours, theirs, each in ratios(rows):
        spread = f"{median(each):.2f} ({min(each):.2f} to {max(each):.2f}, {len(each)} rounds)"
        lines.append(f"| {scenario} | {shape} | {peer} | {ours:.1f} | {theirs:.1f} | {spread} |")
    lines += ["", *latencies(rows), *_parts(rows), "", *_others(rows)]
    return "\n".join(lines)


def _parts(rows: list[Row]) -> list[str]:
    """Where the CPU went and how long it took, by contender."""
    lines = [
        "| scenario | shape | contender | sent | server CPU s | Redis | database | generator | p50 ms | p99 ms |"
    ]
    lines.append("|---|---|---|---|---|---|---|---|---|---|")
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row["scenario"] in UNITS:
            groups[row["scenario"], row["shape"], row["contender"]].append(row)
    for key, group in groups.items():
        names = ("sent", "server_cpu", "redis_cpu", "database_cpu", "generator_cpu")
        figures = [f"{median(row.get(name, 0) for row in group):.4g}" for name in names]
        figures += [f"{median(row[name] for row in group) * 1000:.3g}" for name in ("p50", "p99")]
        lines.append("| " + " | ".join([*key, *figures]) + " |")
    return lines


def latencies(rows: list[Row]) -> list[str]:
    """p99 from send to receive at the same rate, ours over the peer's in each round."""
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
    """Connections, stuck clients and history: their own figures."""
    lines = ["| scenario | shape | contender | figures, medians |", "|---|---|---|---|"]
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row["scenario"] not in UNITS:
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
    """Print the table, and write it and the plot beside the figures."""
    text = "\n".join([table(measured), "", *_circumstances(measured)])
    print(text)
    path.with_suffix(".md").write_text(text + "\n")
    plot(measured, path.with_suffix(".png"))
    if path.resolve().parent == README.parent / "results":
        before, _, rest = README.read_text().partition(BEGIN)
        shown = f"{text}\n\n![their server CPU over ours](results/{path.stem}.png)"
        README.write_text(f"{before}{BEGIN}\n{shown}\n{END}{rest.partition(END)[2]}")


def _circumstances(measured: dict[str, Any]) -> list[str]:
    """Machine and versions, and how busy the machine was when each scenario began."""
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
    for position, (*_, each) in enumerate(reversed(found)):
        axes.barh(position, median(each), color="#4878a8" if median(each) >= 1 else "#b85450")
        axes.plot([min(each), max(each)], [position, position], color="black", linewidth=1.5)
        axes.text(max(each) * 1.05, position, f"{median(each):.2f}", va="center")
    labels = [f"{scenario} {shape}\nagainst {peer}" for scenario, shape, peer, *_ in reversed(found)]
    axes.set_yticks(range(len(found)), labels, fontsize=8)
    axes.axvline(1, color="grey", linestyle="--", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("their server CPU for a unit of work over ours (right of the line we are cheaper)")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
