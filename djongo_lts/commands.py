"""The commands that read: find(), aggregate() and count_documents(). `write_commands.py` has those that write."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from pymongo.collection import Collection

from .command import Command, projection_of
from .cursor import Result, Row
from .parted_reads import documents
from .parts import Document

# A pipeline, a function that reads the columns of its document, and the columns to use if there is none.
Part = tuple[list[Document], Callable[[Document], list[Any]], list[Any]]


class Find(Command):
    """A find(): the named columns of one collection, filtered, sorted and sliced. A limit of 0 means no limit."""

    def __init__(
        self,
        collection: str,
        where: Document,
        columns: list[str],
        sort: Mapping[str, int] | None = None,
        skip: int = 0,
        limit: int = 0,
        projection: Document | None = None,
    ):
        self.collection, self.where, self.columns = collection, where, columns
        self.projection = projection or projection_of(columns)
        self.sort, self.skip, self.limit = dict(sort or {}), skip, limit

    def __call__(self, collections: Mapping[str, Collection]) -> Result:
        options: dict[str, Any] = {"skip": self.skip, "limit": self.limit}
        if self.sort:
            options["sort"] = self.sort
        found = collections[self.collection].find(self.where, self.projection, **options)
        columns = self.columns
        return Result(source=found, read=lambda document: tuple(map(document.get, columns)))

    def count(self) -> "Count":
        return Count(self.collection, self.where, self.skip, self.limit)

    def stages(self) -> tuple[list[Document], list[str]]:
        """The equivalent pipeline, and the path of each column in its documents."""
        stages: list[Document] = [
            {"$match": self.where},
            {"$sort": self.sort},
            {"$skip": self.skip},
            {"$limit": self.limit},
        ]
        return [stage for stage in stages if any(stage.values())], self.columns

    def in_parts(self, max_bytes: int) -> Command:
        match, *joint = [{"$match": self.where}, *self.stages()[0][bool(self.where) :]]
        kept = {"$project": self.projection | dict.fromkeys(self.sort, 1)}
        return Aggregate(self.collection, [match, kept, *joint], self.columns).in_parts(max_bytes)

    def pymongo_call(self) -> tuple[str, list[Any]]:
        options = {"sort": self.sort, "skip": self.skip, "limit": self.limit}
        return "find", [self.where, self.projection, {k: v for k, v in options.items() if v}]

    def explainable(self) -> Document:
        return {
            "find": self.collection,
            "filter": self.where,
            "projection": self.projection,
            "sort": self.sort,
            "skip": self.skip,
            "limit": self.limit,
        }


class Aggregate(Command):
    """An aggregation pipeline that gives rows.

    `paths` has the path of each column in the documents: `"name"` or `"parent.name"`, at most two names deep.
    """

    def __init__(self, collection: str, pipeline: list[Document], paths: Sequence[str] = ()):
        self.collection, self.pipeline, self.paths = collection, pipeline, list(paths)

    def __call__(self, collections: Mapping[str, Collection]) -> Result:
        found = self.documents(collections, self.pipeline)
        return Result(source=found, read=row_reader(self.paths))

    def documents(
        self, collections: Mapping[str, Collection], pipeline: list[Document]
    ) -> Iterator[Document]:
        """The documents of a pipeline, in parts if its IN lists may have `max_bytes` only."""
        collection = collections[self.collection]
        if self.max_bytes is None:
            return collection.aggregate(pipeline)
        return documents(collection, pipeline, self.max_bytes)

    def stages(self) -> tuple[list[Document], list[str]]:
        return self.pipeline, self.paths

    def count(self) -> "Aggregate":
        counted = [*self.pipeline, {"$count": "n"}]
        return SingleRow(self.collection, [(counted, lambda document: [document["n"]], [0])])

    def pymongo_call(self) -> tuple[str, list[Any]]:
        return "aggregate", [self.pipeline]

    def explainable(self) -> Document:
        return {"aggregate": self.collection, "pipeline": self.pipeline, "cursor": {}}


def row_reader(paths: list[str]) -> Callable[[Document], Row]:
    """Returns a function that turns a document into a row tuple. A missing value is read as None."""
    split = [path.split(".", 1) for path in paths]

    def read(document: Document) -> Row:
        row: list[Any] = []
        for parts in split:
            value = document.get(parts[0])
            if len(parts) == 2 and value is not None:
                value = value.get(parts[1])
            row.append(value)
        return tuple(row)

    return read


class SingleRow(Aggregate):
    """One row, joined from several pipelines that give at most one document each.

    `parts` has a tuple for each pipeline: the pipeline, a function that reads the columns of its document, and the
    columns to use if there is no document. For example `([{"$count": "n"}], lambda d: [d["n"]], [0])`.
    """

    def __init__(self, collection: str, parts: list[Part]):
        super().__init__(collection, parts[0][0])
        self.parts = parts

    def __call__(self, collections: Mapping[str, Collection]) -> Result:
        row: list[list[Any]] = []
        for pipeline, read, empty in self.parts:
            document = next(self.documents(collections, pipeline), None)
            row.append(empty if document is None else read(document))
        return Result([tuple(chain.from_iterable(row))])


class Count(Command):
    def __init__(self, collection: str, where: Document, skip: int = 0, limit: int = 0):
        self.collection, self.where = collection, where
        self.options: dict[str, Any] = {
            name: value for name, value in (("skip", skip), ("limit", limit)) if value
        }

    def __call__(self, collections: Mapping[str, Collection]) -> Result:
        return Result([(self.matching_count(collections),)])

    def matching_count(self, collections: Mapping[str, Collection]) -> int:
        # pymongo returns a large count as bson's Int64.
        if self.max_bytes is None:
            return int(collections[self.collection].count_documents(self.where, **self.options))
        slices: list[Document] = [{f"${name}": value} for name, value in self.options.items()]
        stages = [{"$match": self.where}, *slices]
        found = documents(collections[self.collection], [*stages, {"$count": "n"}], self.max_bytes)
        return next((document["n"] for document in found), 0)

    def pymongo_call(self) -> tuple[str, list[Any]]:
        return "count_documents", [self.where, self.options]

    def explainable(self) -> Document:
        pipeline = [{"$match": self.where}, {"$group": {"_id": 1, "n": {"$sum": 1}}}]
        return {"aggregate": self.collection, "pipeline": pipeline, "cursor": {}}


class Exists(Count):
    """One row without columns if a document matches, else no row.

    It counts with a limit of one, because this costs pymongo less CPU than a find_one().
    """

    def __init__(self, collection: str, where: Document, skip: int = 0):
        super().__init__(collection, where, skip, 1)

    def __call__(self, collections: Mapping[str, Collection]) -> Result:
        return Result(() if self.matching_count(collections) == 0 else [()])
