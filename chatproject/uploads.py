"""The upload handler of Django's forms. No form has files, so files in a multipart body are dropped."""

from typing import Any

from django.core.exceptions import BadRequest
from django.core.files.uploadhandler import FileUploadHandler


class NoUploads(FileUploadHandler):
    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, boundary: Any, encoding: str | None = None
    ) -> None:
        """Refuse other charsets, as Django does for urlencoded forms: some (`hex`, `idna`) fail later."""
        if encoding is not None and encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
            raise BadRequest("A form has to be UTF-8.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Drop the data."""

    def file_complete(self, file_size: int) -> None:
        """There is no file."""
