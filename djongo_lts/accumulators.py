"""Accumulators: translates Count, Sum, Avg, Min and Max for a $group stage, with SQL's treatment of null.

In: an aggregate such as `Max("seq")`. Out: the name of its output, `"a0"`, and `{"a0": {"$max": "$seq"}}` for the
stage.
"""

from typing import Any

from django.db.models import Aggregate, Avg, Count, Max, Min, Sum, Value
from django.db.models.expressions import Star
from django.db.models.functions import Coalesce

from .errors import unsupported
from .expressions import expression, literal
from .parts import Document
from .scope import Scope, children

ACCUMULATORS = {Avg: "$avg", Max: "$max", Min: "$min", Sum: "$sum"}


def is_aggregate(node: Any) -> bool:
    """Whether the node is an aggregate. One with a default is written by Django as Coalesce(aggregate, value)."""
    return isinstance(node, Aggregate) or (type(node) is Coalesce and node.contains_aggregate)


def is_count_all(node: Any) -> bool:
    return type(node) is Count and isinstance(node.source_expressions[0], Star) and node.filter is None


def filter_of(node: Any) -> Any:
    aggregate: Any = node.source_expressions[0] if type(node) is Coalesce else node
    return aggregate.filter


def aggregates_in(node: Any) -> list[Any]:
    if is_aggregate(node):
        return [node]
    return [found for child in children(node) for found in aggregates_in(child)]


class Accumulators:
    """The accumulators of one $group stage.

    `group` maps output names to accumulators, for example `{"a0": {"$max": "$seq"}}`. `final` maps the outputs that
    need a $set stage afterwards to its expressions. `empty_values` has each aggregate's value over no rows.
    """

    def __init__(self, scope: Scope):
        self.scope = scope
        self.group: Document = {}
        self.final: Document = {}
        self.empty_values: list[Any] = []

    def add(self, node: Any, filtered: bool = False) -> str:
        """Adds an aggregate and returns the name of its output. `filtered`: a $match already applied its filter."""
        name, default = f"a{len(self.empty_values)}", None
        if type(node) is Coalesce:
            node, default_node = node.source_expressions
            if not isinstance(node, Aggregate) or type(default_node) is not Value:
                raise unsupported("Coalesce() other than around an aggregate with a value as default")
            default = literal(self.scope, default_node)
        if node.filter is not None and not filtered:
            raise unsupported("a filtered aggregate in a group")
        self.accumulate(name, node)
        if default is not None:
            self.final[name] = {"$ifNull": [self.final.get(name, f"${name}"), default]}
        self.empty_values.append(0 if type(node) is Count else default and default["$literal"])
        return name

    def accumulate(self, name: str, node: Any) -> None:
        if type(node) is Count:
            self.count(name, node)
            return
        if type(node) not in ACCUMULATORS:
            raise unsupported(node)
        if node.distinct and type(node) not in (Max, Min):
            raise unsupported(f"{type(node).__name__} over distinct values")
        value = expression(self.scope, node.source_expressions[0])
        self.group[name] = {ACCUMULATORS[type(node)]: value}
        # SQL's sum of no values is NULL, MongoDB's is 0.
        if type(node) is Sum:
            self.group[f"{name}n"] = {"$sum": self.one_unless_null(value)}
            self.final[name] = {"$cond": [{"$eq": [f"${name}n", 0]}, None, f"${name}"]}

    def count(self, name: str, node: Any) -> None:
        source = node.source_expressions[0]
        if isinstance(source, Star):
            self.group[name] = {"$sum": 1}
            return
        value = expression(self.scope, source)
        if node.distinct:
            self.group[name] = {"$addToSet": value}
            self.final[name] = {"$size": {"$setDifference": [f"${name}", [None]]}}
        else:
            self.group[name] = {"$sum": self.one_unless_null(value)}

    def one_unless_null(self, value: Any) -> Document:
        return {"$cond": [{"$gt": [value, None]}, 1, 0]}

    def final_stages(self) -> list[Document]:
        return [{"$set": self.final}] if self.final else []
