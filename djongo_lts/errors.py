"""What a pymongo error means to Django, and the refusal of a shape that has no sound translation.
Knows error codes; must not know queries.
"""

from bson.errors import BSONError
from django.db import DatabaseError, DataError, IntegrityError, NotSupportedError, OperationalError
from pymongo import errors

DUPLICATE_KEY = {11000, 11001, 12582}
VALIDATION_FAILED = 121
# Worth a retry by whoever asked: write conflict, lock and time limits, step-downs, and a server that refuses us.
TRANSIENT = {6, 7, 13, 18, 24, 50, 64, 89, 91, 112, 189, 262, 10107, 11600, 11602, 13435, 13436}

DRIVER_ERRORS = (errors.PyMongoError, BSONError, OverflowError)


def unsupported(shape: object) -> NotSupportedError:
    """The error to raise for a shape (a phrase, or a node of a query) that is not understood."""
    if not isinstance(shape, str):
        shape = type(shape).__name__
    return NotSupportedError(f"djongo_lts does not support {shape}")


def django_error(error: Exception) -> DatabaseError:
    """The django.db error for a driver error; raise it `from` the latter."""
    if isinstance(error, (BSONError, OverflowError, errors.DocumentTooLarge)):
        return DataError(str(error))
    if isinstance(error, errors.ConnectionFailure) or getattr(error, "timeout", False):
        return OperationalError(str(error))
    code, message = getattr(error, "code", None), str(error)
    if isinstance(error, errors.BulkWriteError):
        written = error.details.get("writeErrors") or error.details.get("writeConcernErrors") or [{}]
        code, message = written[0].get("code"), written[0].get("errmsg", message)
    elif getattr(error, "details", None):
        message = error.details.get("errmsg", message)
    if code in DUPLICATE_KEY or code == VALIDATION_FAILED:
        return IntegrityError(message)
    if code in TRANSIENT or (isinstance(error, errors.InvalidOperation) and "after close" in message):
        return OperationalError(message)
    return DatabaseError(message)
