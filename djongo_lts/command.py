"""A command replaces a SQL statement: a pymongo call with its text for logs and its form for explain.

For example `Find("message", {"seq": 1}, ["_id", "seq"])`: called with the collections it gives the rows, and its
text is `db.message.find({'seq': 1}, ..)`.
"""

from collections.abc import Mapping
from copy import copy
from typing import Any

from pymongo.collection import Collection

from .cursor import Result
from .parts import Document


class Command:
    """Takes the database's collections when it is called, and returns a Result."""

    collection: str
    # None: the IN lists fit into one command.
    max_bytes: int | None = None

    def __call__(self, collections: Mapping[str, Collection]) -> Result:
        raise NotImplementedError

    def pymongo_call(self) -> tuple[str, list[Any]]:
        """The name and the arguments of the pymongo call for logs, for example `("delete_many", [{"seq": 1}])`."""
        raise NotImplementedError

    def explainable(self) -> Document | None:
        """The database command to pass to `explain`; None for inserts, which have no plan."""
        return None

    def in_parts(self, max_bytes: int) -> "Command":
        """The command that does the same with IN lists of at most `max_bytes` in each call (`parted_reads.py`)."""
        command = copy(self)
        command.max_bytes = max_bytes
        return command

    def __str__(self) -> str:
        name, args = self.pymongo_call()
        return f"db.{self.collection}.{name}({', '.join(map(repr, args))})"

    def __mod__(self, params: Any) -> str:
        # str(queryset.query) is sql % params.
        return str(self)


def projection_of(columns: list[str]) -> Document:
    projection: Document = dict.fromkeys(columns, 1) or {"_id": 1}
    projection.setdefault("_id", 0)
    return projection
