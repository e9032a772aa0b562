"""The commands that write: update_many(), delete_many() and inserts."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pymongo import ReturnDocument
from pymongo.collection import Collection

from .command import Command
from .conflicts import insert_in_order, insert_missing, repeated
from .cursor import Result
from .parted_reads import documents
from .parts import Document, cut_filter

# djongo's collection with one document per table, for example
# {"name": "tag", "fields": {"id": {"type_code": "long"}}, "auto": {"field_names": ["id"], "seq": 7}}.
SCHEMA = "__schema__"


def written(write: Callable[[Document], Any], filters: list[Document]) -> list[Any]:
    """What `write` returns for each filter. With one `_id` it writes one document at most, and may be repeated."""
    by_id = [not isinstance(where.get("_id", {}), dict) for where in filters]
    return [
        repeated(partial(write, where)) if one else write(where)
        for where, one in zip(filters, by_id, strict=True)
    ]


class UpdateMany(Command):
    """An update_many(). Its result counts the documents that the filter matched in this command, changed or not."""

    def __init__(self, collection: str, where: Document, update: Document | list[Document]):
        self.collection, self.where, self.update = collection, where, update

    def __call__(self, collections: Mapping[str, Collection]) -> Result:
        collection = collections[self.collection]
        filters = [self.where] if self.max_bytes is None else self.parts(collection, self.max_bytes)
        done = written(lambda where: collection.update_many(where, self.update), filters)
        return Result(count=sum(each.matched_count for each in done))

    def parts(self, collection: Collection, max_bytes: int) -> list[Document]:
        """Filters by `_id`. By another column, the update could move a row to a later part."""
        stages = [{"$match": self.where}, {"$project": {"_id": 1}}]
        ids = [found["_id"] for found in documents(collection, stages, max_bytes)]
        return cut_filter({"_id": {"$in": ids}}, max_bytes) if ids else []

    def pymongo_call(self) -> tuple[str, list[Any]]:
        return "update_many", [self.where, self.update]

    def explainable(self) -> Document:
        return {"update": self.collection, "updates": [{"q": self.where, "u": self.update, "multi": True}]}


class DeleteMany(Command):
    def __init__(self, collection: str, where: Document):
        self.collection, self.where = collection, where

    def __call__(self, collections: Mapping[str, Collection]) -> Result:
        collection = collections[self.collection]
        filters = [self.where] if self.max_bytes is None else cut_filter(self.where, self.max_bytes)
        return Result(count=sum(each.deleted_count for each in written(collection.delete_many, filters)))

    def pymongo_call(self) -> tuple[str, list[Any]]:
        return "delete_many", [self.where]

    def explainable(self) -> Document:
        return {"delete": self.collection, "deletes": [{"q": self.where, "limit": 0}]}


class Insert(Command):
    """Inserts documents in order. The first failure stops the rest, unless `skip_duplicates` is set.

    `auto_column` is the column to fill from the counter in `__schema__` where it is None.
    """

    def __init__(
        self,
        collection: str,
        documents: list[Document],
        auto_column: str | None = None,
        skip_duplicates: bool = False,
    ):
        self.collection, self.documents = collection, documents
        self.auto_column, self.skip_duplicates = auto_column, skip_duplicates

    def __call__(self, collections: Mapping[str, Collection]) -> Result:
        if self.auto_column:
            self.assign_numbers(collections[SCHEMA], self.auto_column)
        target = collections[self.collection]
        if self.skip_duplicates:
            insert_missing(target, self.documents)
        elif len(self.documents) == 1:
            repeated(lambda: target.insert_one(self.documents[0]))
        else:
            insert_in_order(target, self.documents)
        return Result(count=len(self.documents))

    def assign_numbers(self, schema: Collection, column: str) -> None:
        """Reserves a range of numbers in one atomic step.

        Explicit numbers in the documents first raise the counter to their maximum.
        """
        entry = {"name": self.collection}
        unnumbered = [document for document in self.documents if document.get(column) is None]
        given = [document[column] for document in self.documents if document.get(column) is not None]
        if given:
            repeated(lambda: schema.update_one(entry, {"$max": {"auto.seq": max(given)}}))
        if not unnumbered:
            return
        counter: Any = repeated(
            lambda: schema.find_one_and_update(
                entry,
                {"$inc": {"auto.seq": len(unnumbered)}},
                {"auto.seq": 1},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        )
        first = int(counter["auto"]["seq"]) - len(unnumbered) + 1
        for number, document in enumerate(unnumbered, first):
            document[column] = number

    def pymongo_call(self) -> tuple[str, list[Any]]:
        return "insert_many", [f"{len(self.documents)} documents"]
