"""Rules: the invariants of the database by name, and what they have in common."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from django.conf import settings

from messaging.archive import Archive

# Where there are no transactions, head and watermarks are written within this time after their messages
# (messaging.mark_writer), and so are other rows that belong together.
LAG_SECONDS = 1.0


@dataclass(frozen=True)
class Rule:
    """An invariant that code relies on. `repair`: what `--repair` does; empty where a human has to decide."""

    name: str
    invariant: str
    repair: str = ""

    def broken(self, description: str, *, repaired: bool = False) -> "Violation":
        return Violation(self.name, description, repaired)


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken invariant, for example of the rule `seq_dense`, and a description that names the row."""

    rule: str
    description: str
    repaired: bool = False


@dataclass(frozen=True)
class Options:
    """What a run does.

    `archive_dirs` have together what was archived; without one, the archive is elsewhere and is not looked at.
    `checksums` reads all of it. A running server brings rows that belong together into line within `lag_seconds`.
    """

    repair: bool = False
    archive_dirs: tuple[Path, ...] = (Path(settings.ARCHIVE_DIR),)
    checksums: bool = False
    lag_seconds: float = LAG_SECONDS

    @cached_property
    def archives(self) -> list[Archive]:
        return [Archive(folder) for folder in self.archive_dirs]


RULES: dict[str, Rule] = {}


def rule(name: str, invariant: str, *, repair: str = "") -> Rule:
    """Declare a rule. Its name is what the command prints; docs/invariants.md lists it."""
    assert name not in RULES, f"the rule {name} is declared twice"
    RULES[name] = Rule(name, invariant, repair)
    return RULES[name]
