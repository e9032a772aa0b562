"""docs/invariants.md, written from the rules of `manage.py check_integrity`."""

from collections.abc import Iterable

from operations.integrity import Rule

INTRODUCTION = """\
# Invariants

What the code relies on in the database and in the archive. `manage.py check_integrity` checks it on a running
server, and prints each violation by the name of its rule; `--repair` mends what follows from other data, and never
guesses.
[The runbook](runbook.md#when-check_integrity-finds-something) says what to do about the rest. Each rule has tests
that break a row (`operations/tests/test_integrity_logs.py` and others). This page is written by `make docs`.

| rule | what holds | `--repair` |
|---|---|---|
"""


def markdown(rules: Iterable[Rule]) -> str:
    """The whole page; `manage.py write_docs` writes it."""
    ordered = sorted(rules, key=lambda rule: rule.name)
    return INTRODUCTION + "".join(
        f"| `{rule.name}` | {rule.invariant} | {rule.repair or '-'} |\n" for rule in ordered
    )
