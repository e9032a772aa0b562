"""Groups: the command for GROUP BY, HAVING and DISTINCT, which groups by the select list.

In: a Read. Out: an Aggregate. For example `values("room").annotate(Max("seq"))` gives the pipeline
`[{"$group": {"_id": {"k0": ..}, "a0": {"$max": "$seq"}}}]` and the paths `["_id.k0", "a0"]` of its columns.
"""

from typing import Any

from .accumulators import Accumulators, aggregates_in, is_aggregate
from .commands import Aggregate
from .errors import unsupported
from .expressions import expression
from .parts import Document
from .pipelines import all_matching, sorted_and_sliced
from .reads import Read
from .scope import Scope


def grouped(read: Read) -> Aggregate:
    stages = all_matching(read)
    outputs = Outputs(read)
    paths = [outputs.path(node) for node in read.select]
    having = [] if read.having is None else aggregates_in(read.having)
    for node in [*read.group_by, *(node for node, _ in read.order_by), *having]:
        outputs.path(node)
    stages += outputs.stages()
    if read.having is not None:
        found = read.compiler.filter(Scope(read.compiler, None, named=outputs.named), read.having)
        stages += [{"$match": found}] if found else []
    sort: dict[str, int] = {}
    for node, direction in read.order_by:
        sort.setdefault(outputs.path(node), direction)
    return Aggregate(read.collection, stages + sorted_and_sliced(read, sort), paths)


class Outputs:
    """What a $group stage gives: the columns to group by, at paths such as `_id.k0`, and aggregates, such as `a0`.

    `named` has the expressions with their paths, from which a Scope for the stages after it is made.
    """

    def __init__(self, read: Read):
        self.read, self.accumulators = read, Accumulators(read.scope)
        self.named: list[tuple[Any, str]] = []

    def path(self, node: Any) -> str:
        """The path of an expression in the documents of the stage, which it is added to if it is new."""
        for known, path in self.named:
            if known == node:
                return path
        if not is_aggregate(node):
            path = f"_id.k{len(self.named)}"
        elif self.read.distinct:
            raise unsupported("distinct() with aggregates")
        else:
            path = self.accumulators.add(node)
        self.named.append((node, path))
        return path

    def stages(self) -> list[Document]:
        keys = {
            path.removeprefix("_id."): {"$ifNull": [expression(self.read.scope, node), None]}
            for node, path in self.named
            if path.startswith("_id.")
        }
        group = {"$group": {"_id": keys, **self.accumulators.group}}
        return [group, *self.accumulators.final_stages()]
