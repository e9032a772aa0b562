"""The commands that write: update_many(), delete_many() and inserts."""

from pymongo import ReturnDocument
from pymongo.errors import BulkWriteError

from .commands import Command
from .cursor import Result
from .errors import DUPLICATE_KEY

# djongo's collection with one document per table, for example
# {"name": "tag", "fields": {"id": {"type_code": "long"}}, "auto": {"field_names": ["id"], "seq": 7}}.
SCHEMA = "__schema__"


class UpdateMany(Command):
    """An update_many(). Its result counts the documents that the filter matched in this command, changed or not."""

    def __init__(self, collection, where, update):
        self.collection, self.where, self.update = collection, where, update

    def __call__(self, collections) -> Result:
        done = collections[self.collection].update_many(self.where, self.update)
        return Result(count=done.matched_count)

    def pymongo_call(self):
        return "update_many", [self.where, self.update]

    def explainable(self):
        return {"update": self.collection, "updates": [{"q": self.where, "u": self.update, "multi": True}]}


class DeleteMany(Command):
    def __init__(self, collection, where):
        self.collection, self.where = collection, where

    def __call__(self, collections) -> Result:
        return Result(count=collections[self.collection].delete_many(self.where).deleted_count)

    def pymongo_call(self):
        return "delete_many", [self.where]

    def explainable(self):
        return {"delete": self.collection, "deletes": [{"q": self.where, "limit": 0}]}


class Insert(Command):
    """Inserts documents in order. The first failure stops the rest, unless `skip_duplicates` is set.

    `auto_column` is the column to fill from the counter in `__schema__` where it is None.
    """

    def __init__(self, collection, documents, auto_column=None, skip_duplicates=False):
        self.collection, self.documents = collection, documents
        self.auto_column, self.skip_duplicates = auto_column, skip_duplicates

    def __call__(self, collections) -> Result:
        if self.auto_column:
            self.assign_numbers(collections[SCHEMA])
        target = collections[self.collection]
        if len(self.documents) == 1 and not self.skip_duplicates:
            target.insert_one(self.documents[0])
        else:
            try:
                target.insert_many(self.documents, ordered=not self.skip_duplicates)
            except BulkWriteError as error:
                failed = error.details.get("writeErrors", [])
                other = error.details.get("writeConcernErrors")
                if not self.skip_duplicates or other or any(e["code"] not in DUPLICATE_KEY for e in failed):
                    raise
        return Result(count=len(self.documents))

    def assign_numbers(self, schema) -> None:
        """Reserves a range of numbers in one atomic step.

        Explicit numbers in the documents first raise the counter to their maximum.
        """
        column, entry = self.auto_column, {"name": self.collection}
        unnumbered = [document for document in self.documents if document.get(column) is None]
        given = [document[column] for document in self.documents if document.get(column) is not None]
        if given:
            schema.update_one(entry, {"$max": {"auto.seq": max(given)}})
        if not unnumbered:
            return
        counter = schema.find_one_and_update(
            entry,
            {"$inc": {"auto.seq": len(unnumbered)}},
            {"auto.seq": 1},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        first = int(counter["auto"]["seq"]) - len(unnumbered) + 1
        for number, document in enumerate(unnumbered, first):
            document[column] = number

    def pymongo_call(self):
        return "insert_many", [f"{len(self.documents)} documents"]
