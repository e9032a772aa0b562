"""The AsyncAPI document of a registry. The whole document is tested in chatproject/tests/test_documents.py."""

import pytest

from foundation.errors import ERRORS
from realtime.asyncapi import build_document
from realtime.session.handlers import EventRegistry
from realtime.session.ready import READY

pytestmark = pytest.mark.once  # a document in memory


def test_document_when_an_event_is_declared_then_has_its_schema() -> None:
    document = build_document(EventRegistry([], sends=[READY]), version="1.2")
    messages = document["channels"]["chat"]["messages"]
    ready = messages["readyEvent"]
    assert (ready["name"], ready["summary"], ready["x-audience"]) == (
        "ready", READY.summary, READY.audience.value,
    )  # fmt: skip
    assert ready["payload"]["properties"]["event"] == {"const": "ready"}
    assert {"Ready", "Limits"} <= set(document["components"]["schemas"])
    assert document["info"]["version"] == "1.2"


def test_document_when_it_describes_errors_then_has_every_code() -> None:
    document = build_document(EventRegistry([]), version="1")
    payload = document["channels"]["chat"]["messages"]["error"]["payload"]
    assert payload["properties"]["event"]["enum"] == [f"error:{code}" for code in ERRORS]
    assert "4408: slow reader" in document["info"]["description"]
