"""Metrics of REST requests."""

from prometheus_client import Counter

REQUEST_ERRORS = Counter(
    "chat_request_errors", "REST requests answered with an error, by its code.", ["code"]
)
