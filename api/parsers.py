"""The parser of JSON bodies. As strict as the socket: UTF-8, no lone surrogates, no NaN, limited nesting."""

from typing import Any

import msgspec
from rest_framework import parsers

from foundation.errors import Invalid, TooLarge

MAX_BODY_BYTES = 256 * 1024


class JSONParser(parsers.JSONParser):
    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        body = stream.read()
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(f"The body is over {MAX_BODY_BYTES} bytes.")
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise Invalid(f"The body is not valid JSON: {error}") from error
