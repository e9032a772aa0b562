"""The log has one JSON object a line: timestamp, level, logger, message, log context, the record's own fields."""

import logging
import re
import sys
from typing import Any

from pythonjsonlogger.json import JsonFormatter as BaseFormatter

from foundation import context, times

# The `token` of a query, and any JWT. Servers and libraries write them into messages.
TOKEN = re.compile(r"((?:[?&\s]|^)token=)[^&\s\"']+|\beyJ[\w-]+\.[\w-]+\.[\w-]*")


class JsonFormatter(BaseFormatter):
    """Formats a record as JSON and removes tokens from its texts."""

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        log_data["timestamp"] = times.to_wire(times.from_timestamp(record.created))
        log_data["level"] = record.levelname
        log_data["logger"] = record.name
        super().add_fields(log_data, record, message_dict)
        for name, value in context.log_fields().items():
            log_data.setdefault(name, value)
        # Django adds the request to its records, and uvicorn a coloured message. Neither belongs in a log.
        for name in ("request", "color_message", "taskName"):
            log_data.pop(name, None)
        for name in ("message", "exc_info"):
            if isinstance(log_data.get(name), str):
                log_data[name] = hide_tokens(log_data[name])


def hide_tokens(text: str) -> str:
    """`?token=abc` becomes `?token=[removed]`, and a JWT `[removed]`."""
    return TOKEN.sub(lambda found: f"{found[1] or ''}[removed]", text)


class OnlyTracebacks(logging.Filter):
    """Passes records with a traceback. Django also logs every answer with an error status, which is dropped."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.exc_info is not None


class ConsoleHandler(logging.StreamHandler[Any]):
    """Writes to stderr. Where nothing can be written, for example to a file on a full disk, the record is lost.

    The handler of the library would write a traceback for each record to the same place.
    """

    def handleError(self, record: logging.LogRecord) -> None:
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)
