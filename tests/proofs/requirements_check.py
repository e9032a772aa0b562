"""What the pinned requirements are known for: `make requirements-check`.

Asks pip-audit for known holes. Where its source cannot be reached, checks what can be checked from the package
index alone: that everything is pinned, is installed as pinned and fits together, and how far it is behind.
"""

import json
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

from tests.kit.paths import ROOT

REQUIREMENTS = ("requirements.txt", "requirements-dev.txt")
TIMEOUT_SECONDS = 300
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)")


def pip_audit(file: str) -> list[str] | None:
    """The known holes of the pins; None where nobody could be asked."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(ROOT / file), "--format", "json"]
    command += ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--timeout", "10"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
        packages = json.loads(run.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError):
        return None
    if any("skip_reason" in package for package in packages):
        return None
    return [f"{p['name']} {p['version']}: {hole['id']}" for p in packages for hole in p.get("vulns", ())]


def pins(file: str) -> tuple[dict[str, str], list[str]]:
    """The pins of a file, and its lines that pin nothing."""
    lines = [line for line in (ROOT / file).read_text().splitlines() if line and line[0] not in " #-"]
    found = {line: PIN.match(line) for line in lines}
    pinned = {match[1]: match[2] for match in found.values() if match}
    return pinned, [f"{file}: not pinned: {line}" for line, match in found.items() if not match]


def check_pins() -> list[str]:
    problems, pinned = [], dict[str, str]()
    for file in REQUIREMENTS:
        more, unpinned = pins(file)
        problems += unpinned
        problems += [f"{n} is pinned twice" for n in more if n in pinned and more[n] != pinned[n]]
        pinned |= more
    for name, wanted in pinned.items():
        try:
            installed = version(name)
        except PackageNotFoundError:
            continue  # of another platform
        if installed != wanted:
            problems.append(f"{name} is pinned at {wanted} and installed as {installed}")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    fits = subprocess.run(
        [*pip, "check"], capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    problems += fits.stdout.splitlines() if fits.returncode else []
    listed = subprocess.run(
        [*pip, "list", "--outdated", "--format", "json"],
        capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False,
    )  # fmt: skip
    if listed.returncode:
        print("the package index cannot be reached either: the pins' ages are unknown")
        return problems
    behind = [row for row in json.loads(listed.stdout) if row["name"].lower() in {n.lower() for n in pinned}]
    for row in behind:
        major = row["version"].split(".")[0] != row["latest_version"].split(".")[0]
        print(
            f"{'MAJOR' if major else 'minor'}: {row['name']} {row['version']}, newest {row['latest_version']}"
        )
    print(f"{len(pinned)} pins, {len(behind)} of them not the newest")
    return problems


def main() -> None:
    found = [pip_audit(file) for file in REQUIREMENTS]
    if None not in found:
        print("pip-audit asked")
        problems = [hole for holes in found for hole in holes or ()]
    else:
        print("pip-audit reaches nobody here; the pins are checked instead")
        problems = check_pins()
    sys.exit("\n".join(problems) if problems else 0)


if __name__ == "__main__":
    main()
