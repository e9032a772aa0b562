"""Repeats a write that the server gave up for another one (WriteConflict, code 112), up to a bound.

A repetition is safe only where the server has surely stored nothing of the failed write. The engine opens no
transaction, so that is a write of one document, or a whole command; an update of many documents may have stopped
in the middle and is not repeated.
"""

import random
import time
from collections.abc import Callable
from typing import TypeVar

import bson
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, OperationFailure

from .errors import DUPLICATE_KEY, WRITE_CONFLICT

Written = TypeVar("Written")
ATTEMPTS = 8
# Doubled with each attempt: all attempts together wait at most 0.3 s.
PAUSE_SECONDS = 0.0025
# Above one of these, pymongo sends more than one command, of which the first may be stored.
COMMAND_DOCUMENTS, COMMAND_BYTES = 100_000, 48_000_000


def repeated(write: Callable[[], Written]) -> Written:
    """Calls `write`, which stores one document or nothing, again while it conflicts. Raises the last conflict."""
    for attempt in range(ATTEMPTS - 1):
        try:
            return write()
        except OperationFailure as error:
            if error.code != WRITE_CONFLICT:
                raise
        pause(attempt)
    return write()


def insert_in_order(collection: Collection, documents: list[dict]) -> None:
    """Inserts the documents up to the first that fails. After a conflict it goes on with those not yet stored."""
    for attempt in range(ATTEMPTS):
        try:
            collection.insert_many(documents)
            return
        except BulkWriteError as error:
            failed = write_errors(error)
            if failed[0]["code"] != WRITE_CONFLICT or attempt == ATTEMPTS - 1:
                raise
            documents = documents[failed[0]["index"] :]
        except OperationFailure as error:
            if error.code != WRITE_CONFLICT or attempt == ATTEMPTS - 1 or not is_one_command(documents):
                raise
        pause(attempt)


def insert_missing(collection: Collection, documents: list[dict]) -> None:
    """Inserts the documents except those whose keys are taken."""
    for attempt in range(ATTEMPTS):
        try:
            collection.insert_many(documents, ordered=False)
            return
        except BulkWriteError as error:
            failed = [each for each in write_errors(error) if each["code"] not in DUPLICATE_KEY]
            if not failed:
                return
            if any(each["code"] != WRITE_CONFLICT for each in failed) or attempt == ATTEMPTS - 1:
                raise
            documents = [documents[each["index"]] for each in failed]
        except OperationFailure as error:
            # What is stored already is then a taken key, which this skips.
            if error.code != WRITE_CONFLICT or attempt == ATTEMPTS - 1:
                raise
        pause(attempt)


def write_errors(error: BulkWriteError) -> list[dict]:
    """What failed, by document. Raises the error if not the documents but their replication failed."""
    failed = error.details["writeErrors"]
    if not failed or error.details.get("writeConcernErrors"):
        raise error
    return failed


def is_one_command(documents: list[dict]) -> bool:
    return len(documents) <= COMMAND_DOCUMENTS and sum(len(bson.encode(d)) for d in documents) < COMMAND_BYTES


def pause(attempt: int) -> None:
    time.sleep(random.uniform(0, PAUSE_SECONDS * 2**attempt))
