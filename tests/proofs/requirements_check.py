"""Checks the pinned requirements for known vulnerabilities: `make requirements-check`.

Asks pip-audit. If its source cannot be reached, it checks that every requirement is pinned, installed as pinned and
compatible with the others, and prints which ones are not the newest.
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
    """Returns the known vulnerabilities of the pins; None if the source of pip-audit cannot be reached."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(ROOT / file), "--format", "json"]
    command += ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--timeout", "10"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
        packages = json.loads(run.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError):
        return None
    if any("skip_reason" in package for package in packages):
        return None
    return [
        f"{p['name']} {p['version']}: {vulnerability['id']}"
        for p in packages
        for vulnerability in p.get("vulns", ())
    ]


def pins(file: str) -> tuple[dict[str, str], list[str]]:
    """Returns the pins of a file by name, and a problem for each line without a pin."""
    lines = [line for line in (ROOT / file).read_text().splitlines() if line and line[0] not in " #-"]
    found = {line: PIN.match(line) for line in lines}
    pinned = {match[1]: match[2] for match in found.values() if match}
    return pinned, [f"{file}: not pinned: {line}" for line, match in found.items() if not match]


def check_pins() -> list[str]:
    """Returns the problems of the pins, and prints how old they are."""
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
            # A requirement of another platform.
            continue
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
        print("the package index cannot be reached either, so the age of the pins is unknown")
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
        print("pip-audit was asked")
        problems = [vulnerability for vulnerabilitys in found for vulnerability in vulnerabilitys or ()]
    else:
        print("pip-audit cannot reach its source; the pins are checked instead")
        problems = check_pins()
    sys.exit("\n".join(problems) if problems else 0)


if __name__ == "__main__":
    main()
