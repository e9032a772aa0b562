"""Maps pymongo errors to django.db errors, and makes the error for a query without a correct translation."""

from typing import Any

from bson.errors import BSONError
from django.db import DatabaseError, DataError, IntegrityError, NotSupportedError, OperationalError
from pymongo import errors

DUPLICATE_KEY = {11000, 11001, 12582}
VALIDATION_FAILED = 121
WRITE_CONFLICT = 112
# OperationalError, after which the caller may retry: write conflicts, lock timeouts and time limits, a primary
# that steps down, a host that cannot be reached, a full disk. Failed authentication (13, 18) is here because SQL
# databases raise OperationalError for it too.
TRANSIENT = {6, 7, 13, 18, 24, 50, 64, 89, 91, 112, 189, 262, 10058, 10107, 11600, 11602, 13435, 13436, 14031}

DRIVER_ERRORS = (errors.PyMongoError, BSONError, OverflowError)


def unsupported(shape: object) -> NotSupportedError:
    """The NotSupportedError for a query shape: a phrase such as "raw SQL", or a query node, named by its class."""
    if not isinstance(shape, str):
        shape = type(shape).__name__
    return NotSupportedError(f"djongo_lts does not support {shape}")


def not_null_error(field: Any) -> IntegrityError:
    return IntegrityError(f"NOT NULL constraint failed: {field.model._meta.db_table}.{field.column}")


def django_error(error: Exception) -> DatabaseError:
    """Returns the django.db error for a driver error. The caller raises it `from` the driver error.

    IntegrityError: a duplicate key or a failed validation. DataError: a value or document that BSON or the
    server cannot hold. OperationalError: a lost connection, a timeout or a transient code; only reads and
    idempotent writes may be retried blindly, because the server may have run the command. DatabaseError: the rest.
    """
    if isinstance(error, (BSONError, OverflowError, errors.DocumentTooLarge)):
        return DataError(str(error))
    if isinstance(error, errors.ConnectionFailure) or getattr(error, "timeout", False):
        return OperationalError(str(error))
    code, message = getattr(error, "code", None), str(error)
    if isinstance(error, errors.BulkWriteError):
        written = error.details.get("writeErrors") or error.details.get("writeConcernErrors") or [{}]
        # An insert that skips duplicates has failed for the other errors.
        written = sorted(written, key=lambda each: each.get("code") in DUPLICATE_KEY)
        code, message = written[0].get("code"), written[0].get("errmsg", message)
    elif details := getattr(error, "details", None):
        message = details.get("errmsg", message)
    if code in DUPLICATE_KEY or code == VALIDATION_FAILED:
        return IntegrityError(message)
    if code in TRANSIENT or (isinstance(error, errors.InvalidOperation) and "after close" in message):
        return OperationalError(message)
    return DatabaseError(message)
