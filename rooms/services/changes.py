"""Saves the fields of a row that differ."""

from typing import Any

from foundation.folded_field import with_folded
from foundation.text import same_json

from ..models import Membership, Room


def save_changes(row: Room | Membership, changes: dict[str, Any]) -> bool:
    """Set and save the fields whose values differ; False where none does.

    Writes those columns only: others, such as watermarks, may change at the same time.
    """
    changed = [name for name, value in changes.items() if _differs(getattr(row, name), value)]
    for name in changed:
        setattr(row, name, changes[name])
    if changed:
        row.save(update_fields=with_folded(type(row), changed))
    return bool(changed)


def _differs(present: Any, value: Any) -> bool:
    # In Python 1 == True, also inside of `meta`.
    return not same_json(present, value) if isinstance(value, dict) else bool(present != value)
