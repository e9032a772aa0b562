"""Runs a pipeline in parts if its IN lists do not fit into one command, and joins what the parts find.

In: a pipeline, and the size that its IN lists may have. Out: the documents that the whole pipeline would give.

The stages up to the first that looks at several documents together ($group, $count, $sort, $skip or $limit) run in
parts. The client joins their documents for that stage, and gives them back to the server for the stages after it.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from heapq import merge
from itertools import chain, islice, product
from typing import Any

from pymongo.collection import Collection

from .parted_groups import counted, grouped
from .parts import Document, Key, cut_filter, order_key

# Stages that look at one document at a time, so that they may run on each part by itself.
SEPARATE = {"$match", "$lookup", "$unwind", "$set", "$project"}
SLICING = {"$sort", "$skip", "$limit"}
# Documents that the client has joined go back to the server in batches of this many.
BATCH = 1000


def documents(collection: Collection, pipeline: list[Document], max_bytes: int) -> Iterator[Document]:
    """Yields the documents of a pipeline whose IN lists may be larger than `max_bytes`.

    The parts run one after another, so it does not see one moment of the collection.
    """
    yield from run(collection, [[]], pipeline, max_bytes)


def run(
    collection: Collection, inputs: list[list[Document]], pipeline: list[Document], max_bytes: int
) -> Iterator[Document]:
    """The documents of a pipeline over those that the `inputs`, which are pipelines as well, give together."""
    end = first_position(pipeline, lambda stage: not stage.keys() <= SEPARATE)
    joint = pipeline[end:]
    parts = [[*given, *part] for given in inputs for part in cut_pipeline(pipeline[:end], max_bytes)]
    if len(parts) == 1:
        return results(collection, parts[0] + joint)
    if not joint:
        return chain.from_iterable(results(collection, part) for part in parts)
    found: Iterable[Document]
    if "$group" in joint[0]:
        found, rest = grouped(collection, parts, joint[0]["$group"]), joint[1:]
    elif "$count" in joint[0]:
        found, rest = counted(collection, parts, joint[0]["$count"]), joint[1:]
    else:
        end = first_position(joint, lambda stage: not stage.keys() <= SLICING)
        order = {name: value for stage in joint[:end] for name, value in stage.items()}
        found, rest = (
            sliced(collection, parts, **{name[1:]: value for name, value in order.items()}),
            joint[end:],
        )
    if not rest:
        return iter(found)
    return run(collection, [literal(batch) for batch in batches(found)], rest, max_bytes)


def first_position(pipeline: list[Document], test: Callable[[Document], bool]) -> int:
    return next((position for position, stage in enumerate(pipeline) if test(stage)), len(pipeline))


def cut_pipeline(stages: list[Document], max_bytes: int) -> list[list[Document]]:
    matches = sum("$match" in stage for stage in stages) or 1
    choices = [
        [{"$match": where} for where in cut_filter(stage["$match"], max_bytes // matches)]
        if "$match" in stage
        else [stage]
        for stage in stages
    ]
    return [list(chosen) for chosen in product(*choices)]


def results(collection: Collection, pipeline: list[Document]) -> Iterator[Document]:
    with closing(collection.aggregate(pipeline)) as found:
        yield from found


def batches(found: Iterable[Document]) -> Iterator[list[Document]]:
    left = iter(found)
    while batch := list(islice(left, BATCH)):
        yield batch


def literal(found: list[Document]) -> list[Document]:
    """A pipeline that gives these documents. It needs any document to start from."""
    given = {"$project": {"_id": 0, "given": {"$literal": found}}}
    return [{"$limit": 1}, given, {"$unwind": "$given"}, {"$replaceRoot": {"newRoot": "$given"}}]


def sliced(
    collection: Collection,
    parts: list[list[Document]],
    sort: dict[str, int] | None = None,
    skip: int = 0,
    limit: int = 0,
) -> Iterator[Document]:
    """The documents of all parts in the order of `sort`, from `skip` on; a limit of 0 means no limit."""
    own = ([{"$sort": sort}] if sort else []) + ([{"$limit": skip + limit}] if limit else [])
    found = [results(collection, part + own) for part in parts]
    rows = merge(*found, key=place_in(sort)) if sort else chain.from_iterable(found)
    return islice(rows, skip, skip + limit if limit else None)


class Place:
    """A document's place in an order, to compare with the places of others."""

    __slots__ = ("directions", "keys")

    def __init__(self, keys: list[Key], directions: list[int]):
        self.keys, self.directions = keys, directions

    def __lt__(self, other: "Place") -> bool:
        for own, others, direction in zip(self.keys, other.keys, self.directions, strict=True):
            if own != others:
                return (own < others) == (direction > 0)
        return False


def place_in(sort: dict[str, int]) -> Callable[[Document], Place]:
    """Returns a function that gives a document's Place in a $sort."""
    paths, directions = [path.split(".") for path in sort], list(sort.values())
    return lambda document: Place([order_key(value_at(document, path)) for path in paths], directions)


def value_at(document: Document, path: list[str]) -> Any:
    value: Any = document
    for name in path:
        value = None if value is None else value.get(name)
    return value
