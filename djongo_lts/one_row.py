"""One row: the command for aggregate(), with one pipeline for each run of aggregates with equal filters.

In: a Read whose select list has aggregates only. Out: a SingleRow. For example `aggregate(Max("seq"))` runs
`[{"$group": {"_id": None, "a0": {"$max": "$seq"}}}]`, and its row is `(None,)` if there is no document.
"""

from itertools import groupby
from typing import Any

from .accumulators import Accumulators, filter_of
from .commands import Part, SingleRow
from .filters import where_filter
from .logic import NEVER
from .parts import Document
from .pipelines import all_matching
from .reads import Read
from .scope import Scope


def one_row(read: Read) -> SingleRow:
    stages = all_matching(read)
    parts = [
        part_of_row(read.scope, [*stages, *filtered(read.scope, condition)], list(nodes))
        for condition, nodes in groupby(read.select, filter_of)
    ]
    return SingleRow(read.collection, parts)


def filtered(scope: Scope, condition: Any) -> list[Document]:
    """The stage for the filter of aggregates, such as `Count("pk", filter=Q(seq=1))`."""
    if condition is None:
        return []
    where = where_filter(scope, condition)
    return [{"$match": NEVER if where is None else where}]


def part_of_row(scope: Scope, stages: list[Document], nodes: list[Any]) -> Part:
    """Aggregates over all documents of the stages. Their filters are among the stages."""
    accumulators = Accumulators(scope)
    paths = [accumulators.add(node, filtered=True) for node in nodes]
    pipeline = [*stages, {"$group": {"_id": None, **accumulators.group}}, *accumulators.final_stages()]
    return pipeline, lambda document: [document.get(path) for path in paths], accumulators.empty_values
