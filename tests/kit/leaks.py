"""Finds secrets in answers."""

import json
from typing import Any

# A text that only a test sends, so that finding it shows a leak.
MARK = "zebra-crossing-7731"


def parts_of(*tokens: str) -> list[str]:
    """Returns the tokens, and the claims and the signature of each."""
    return [part for token in tokens for part in (token, *token.split(".")[1:])]


def leaks(answer: Any, secrets: list[str]) -> list[str]:
    """Returns the secrets that the body or the headers of the answer contain, shortened."""
    text = answer.text + json.dumps(dict(answer.headers))
    return [f"{answer.status_code}: {secret[:12]}.." for secret in secrets if secret in text]
