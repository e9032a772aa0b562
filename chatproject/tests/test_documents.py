"""The checked-in documents are valid and agree with the code. About four seconds."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
import yaml

from chatproject.api_examples import example_of
from chatproject.routing import registry
from tests.kit.paths import ROOT
from tests.kit.servers import ChatServer

pytestmark = pytest.mark.once  # documents written from code


@pytest.fixture
def asyncapi() -> dict:
    return yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text())


def test_documents_when_checked_then_have_not_drifted(server: ChatServer) -> None:
    server.manage("write_docs", "--check")


def test_write_docs_check_when_a_file_differs_then_names_it(server: ChatServer, tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from django.conf import settings\n"
        "from django.core.management import call_command\n"
        f"settings.BASE_DIR = Path({str(tmp_path)!r})\n"
        "call_command('write_docs', check=True)\n"
    )
    run = server.manage("shell", "-c", code, check=False)
    assert run.returncode == 1
    docs = (f"docs/{name}" for name in ("openapi.yaml", "asyncapi.yaml", "errors.md", "configuration.md"))
    assert ", ".join([*docs, "clients/js/events.d.ts"]) in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_openapi_when_an_answer_has_a_body_then_its_example_fits() -> None:
    document = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())
    shown = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            bodies = {"request": operation.get("requestBody", {}), **operation["responses"]}
            for status, body in bodies.items():
                for media in body.get("content", {}).values():
                    where = f"{method} {path} {status}"
                    examples = media.get("examples", {})
                    assert examples or status[0] not in "r2", where
                    schema = {**media["schema"], "components": document["components"]}
                    validator = jsonschema.Draft202012Validator(
                        schema, format_checker=jsonschema.FormatChecker()
                    )
                    for example in examples.values():
                        problems = [error.message for error in validator.iter_errors(example["value"])]
                        assert problems == [], where
                        shown.append(where)
    assert len([where for where in shown if " 2" in where]) >= 24


def test_openapi_when_a_field_has_no_example_then_names_it() -> None:
    schemas = {"Thing": {"properties": {"colourOfIt": {"type": "string"}}}}
    with pytest.raises(LookupError, match=r"api_examples.py has no example of Thing\.colourOfIt"):
        example_of({"$ref": "#/components/schemas/Thing"}, schemas)


def test_asyncapi_when_parsed_by_its_reference_parser_then_is_valid(
    node: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    code = (
        "import { Parser } from '@asyncapi/parser';\n"
        "import { readFileSync } from 'node:fs';\n"
        "const found = await new Parser().parse(readFileSync('docs/asyncapi.yaml', 'utf8'));\n"
        "console.log(JSON.stringify({ parsed: Boolean(found.document), diagnostics: found.diagnostics }));\n"
    )
    answer = json.loads(node("--input-type=module", "--eval", code).stdout)
    serious = [problem for problem in answer["diagnostics"] if problem["severity"] < 2]
    assert serious == []
    assert answer["parsed"]


def test_asyncapi_when_read_then_has_every_event(asyncapi: dict) -> None:
    named = {message["name"] for message in asyncapi["channels"]["chat"]["messages"].values()}
    assert named >= {*registry.events, *registry.server_events, "reply", "error:<code>"}


def test_protocol_when_read_then_names_every_event() -> None:
    text = (ROOT / "docs" / "protocol.md").read_text()
    events = {*registry.events, *registry.server_events}
    missing = [event for event in events if not re.search(rf'[`"]{event}[`" ]', text)]
    assert missing == [], "docs/protocol.md does not describe them"


def test_asyncapi_when_served_then_is_the_checked_in_one(server: ChatServer, asyncapi: dict) -> None:
    with server.http() as http:
        assert http.get("/docs/asyncapi.json").json() == asyncapi
