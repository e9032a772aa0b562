"""One JSON object a line: timestamp, level, logger, message, what the code works for, and what the record adds."""

import logging
import re
from typing import Any

from pythonjsonlogger.json import JsonFormatter as BaseFormatter

from foundation import context, times

# A query's token and anything that looks like a JWT, whoever wrote it into a message: a server, a library.
TOKEN = re.compile(r"((?:[?&\s]|^)token=)[^&\s\"']+|\beyJ[\w-]+\.[\w-]+\.[\w-]*")


class JsonFormatter(BaseFormatter):
    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        log_data["timestamp"] = times.to_wire(times.from_timestamp(record.created))
        log_data["level"] = record.levelname
        log_data["logger"] = record.name
        super().add_fields(log_data, record, message_dict)
        for name, value in context.log_fields().items():
            log_data.setdefault(name, value)
        # Django hangs the request on its records, and uvicorn colours: neither belongs in a log.
        for name in ("request", "color_message", "taskName"):
            log_data.pop(name, None)
        for name in ("message", "exc_info"):
            if isinstance(log_data.get(name), str):
                log_data[name] = hide_tokens(log_data[name])


def hide_tokens(text: str) -> str:
    return TOKEN.sub(lambda found: f"{found[1] or ''}[removed]", text)


class OnlyTracebacks(logging.Filter):
    """Lets crashes through, and not the mere fact that an answer had an error status."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.exc_info is not None
