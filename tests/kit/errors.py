"""Assertions on errors, which have one shape in REST and on sockets."""

import math
from typing import Any

import httpx


def error_of(answer: httpx.Response, status: int, code: str, *fields: str) -> dict[str, Any]:
    """Asserts that the request was refused with this status and code, and returns the error object."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["Content-Type"].startswith("application/json"), answer.headers
    assert list(answer.json()) == ["error"], answer.text
    error: dict[str, Any] = answer.json()["error"]
    check_error(error, code, *fields)
    assert error["requestId"] == answer.headers["X-Request-ID"]
    if status == 429:
        assert answer.headers["Retry-After"] == str(math.ceil(error["retryAfter"]))
    return error


def check_error(error: dict[str, Any], code: str, *fields: str) -> None:
    """Asserts the code and the shape of an error object. `fields` are the fields that it has to name."""
    assert error["code"] == code, error
    assert set(error) - {"fields", "retryAfter"} == {"code", "message", "requestId"}, error
    assert error["message"], error
    assert error["requestId"], error
    assert set(fields) == set(error.get("fields", {})), error
    for problems in error.get("fields", {}).values():
        assert problems, error
        assert all(isinstance(problem, str) for problem in problems), error
