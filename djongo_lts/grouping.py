"""Translates Count, Sum, Avg, Min and Max to accumulators of a $group stage, with SQL's treatment of null."""

from django.db.models import Aggregate, Avg, Count, Max, Min, Sum, Value
from django.db.models.expressions import Star
from django.db.models.functions import Coalesce

from .errors import unsupported
from .expressions import expression, literal
from .scope import Scope, children

ACCUMULATORS = {Avg: "$avg", Max: "$max", Min: "$min", Sum: "$sum"}


def is_aggregate(node) -> bool:
    """Whether the node is an aggregate. One with a default is written by Django as Coalesce(aggregate, value)."""
    return isinstance(node, Aggregate) or (type(node) is Coalesce and node.contains_aggregate)


def is_count_all(node) -> bool:
    return type(node) is Count and isinstance(node.source_expressions[0], Star) and node.filter is None


def filter_of(node):
    return (node.source_expressions[0] if type(node) is Coalesce else node).filter


def aggregates_in(node) -> list:
    if is_aggregate(node):
        return [node]
    return [found for child in children(node) for found in aggregates_in(child)]


class Accumulators:
    """The accumulators of one $group stage.

    `group` maps output names to accumulators, for example `{"a0": {"$max": "$seq"}}`. `final` maps the outputs that
    need a $set stage afterwards to its expressions. `empty_values` has each aggregate's value over no rows.
    """

    def __init__(self, scope: Scope):
        self.scope, self.group, self.final = scope, {}, {}
        self.empty_values: list = []

    def add(self, node, filtered: bool = False) -> str:
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

    def accumulate(self, name: str, node) -> None:
        source = node.source_expressions[0]
        if type(node) is Count:
            if isinstance(source, Star):
                self.group[name] = {"$sum": 1}
                return
            value = expression(self.scope, source)
            if node.distinct:
                self.group[name] = {"$addToSet": value}
                self.final[name] = {"$size": {"$setDifference": [f"${name}", [None]]}}
            else:
                self.group[name] = {"$sum": self.one_unless_null(value)}
            return
        if type(node) not in ACCUMULATORS:
            raise unsupported(node)
        if node.distinct and type(node) not in (Max, Min):
            raise unsupported(f"{type(node).__name__} over distinct values")
        value = expression(self.scope, source)
        self.group[name] = {ACCUMULATORS[type(node)]: value}
        # SQL's sum of no values is NULL, MongoDB's is 0.
        if type(node) is Sum:
            self.group[f"{name}n"] = {"$sum": self.one_unless_null(value)}
            self.final[name] = {"$cond": [{"$eq": [f"${name}n", 0]}, None, f"${name}"]}

    def one_unless_null(self, value) -> dict:
        return {"$cond": [{"$gt": [value, None]}, 1, 0]}

    def final_stages(self) -> list[dict]:
        return [{"$set": self.final}] if self.final else []


def one_row_pipeline(scope: Scope, stages: list[dict], nodes: list) -> tuple:
    """Aggregates over all documents of the stages, as a part of SingleRow.

    Returns the pipeline, a function that reads the columns of its document, and the columns for no rows.
    """
    accumulators = Accumulators(scope)
    paths = [accumulators.add(node, filtered=True) for node in nodes]
    pipeline = [*stages, {"$group": {"_id": None, **accumulators.group}}, *accumulators.final_stages()]
    return pipeline, lambda document: [document.get(path) for path in paths], accumulators.empty_values
