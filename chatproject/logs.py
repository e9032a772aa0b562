"""One JSON object a line: time, level, logger, message, what the code works for, and what the record adds."""

import logging
from typing import Any

from pythonjsonlogger.json import JsonFormatter as BaseFormatter

from realtime import context, times


class JsonFormatter(BaseFormatter):
    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        log_data["time"] = times.to_wire(times.from_timestamp(record.created))
        log_data["level"] = record.levelname
        log_data["logger"] = record.name
        super().add_fields(log_data, record, message_dict)
        for name, value in context.log_fields().items():
            log_data.setdefault(name, value)
        # Django hangs the request on its records, and uvicorn colours: neither belongs in a log.
        for name in ("request", "color_message", "taskName"):
            log_data.pop(name, None)


class OnlyTracebacks(logging.Filter):
    """Lets crashes through, and not the mere fact that an answer had an error status."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.exc_info is not None
