"""Checks of what a message may contain. Each raises Invalid with the name of the field."""

import re
from typing import Any

from django.conf import settings

from foundation.errors import Invalid
from foundation.text import meta_problem, shows_nothing, text_problem
from messaging.events import DELETED_TYPE

MESSAGE_TYPE = re.compile(r"[a-z][a-z0-9_.-]{0,31}")
# The server's own: clients show such messages as facts, so no user may write one.
RESERVED_TYPE = re.compile(rf"{DELETED_TYPE}|system|(system|room|message)\..*")


def check_content(content: str) -> None:
    """Refuse text that shows nothing, over MAX_CONTENT_CHARS characters, or with control characters.

    Text is never altered.
    """
    problem = text_problem(content)
    if shows_nothing(content):
        problem = "Must not be empty or invisible."
    elif len(content) > settings.MAX_CONTENT_CHARS:
        problem = f"Longer than {settings.MAX_CONTENT_CHARS} characters."
    if problem:
        raise Invalid(f"content: {problem}", fields={"content": [problem]})


def check_attributes(*, type: str, client_message_id: str | None, meta: dict[str, Any] | None) -> None:
    """Refuse a malformed type, clientMessageId or meta, and the types that are the server's own."""
    if not MESSAGE_TYPE.fullmatch(type):
        raise Invalid(fields={"type": ["A small letter, then up to 31 of a-z, 0-9, '.', '_' and '-'."]})
    if RESERVED_TYPE.fullmatch(type):
        raise Invalid(fields={"type": [f"{type} is a type of the server's own messages; choose another."]})
    if client_message_id is not None and (problem := text_problem(client_message_id)):
        raise Invalid(fields={"clientMessageId": [problem]})
    if meta is not None and (problem := meta_problem(meta, max_bytes=settings.MAX_META_BYTES)):
        raise Invalid(fields={"meta": [problem]})
