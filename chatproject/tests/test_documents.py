"""The checked-in documents are valid and agree with the code. About four seconds."""

import json
import os
import pkgutil
import re
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import jsonschema
import pytest
import yaml
from django.core.management import get_commands

from chatproject.api_examples import example_of
from chatproject.routing import registry
from tests.kit.paths import ROOT
from tests.kit.servers import ChatServer

pytestmark = pytest.mark.once  # documents written from code

TEXTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "djongo_lts/*.md", "benchmarks/*.md", "clients/*/*.md")
    for path in ROOT.glob(pattern)
)
# A bare name with one of these endings is a file of the repository, for example `hub.py`.
SOURCES = (".py", ".lua", ".js", ".mjs", ".ts", ".md", ".yaml", ".yml", ".toml", ".html", ".conf", ".in")


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
    docs = (
        f"docs/{name}"
        for name in ("openapi.yaml", "asyncapi.yaml", "errors.md", "configuration.md", "invariants.md")
    )
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


@pytest.mark.parametrize(
    ("name", "events"),
    [
        ("protocol.md", {*registry.events, *registry.server_events}),
        ("architecture.md", {*registry.server_events}),
    ],
)
def test_document_of_events_when_read_then_names_every_event(name: str, events: set[str]) -> None:
    text = (ROOT / "docs" / name).read_text()
    missing = [event for event in sorted(events) if not re.search(rf'[`"]{event}[`" ]', text)]
    assert missing == [], f"docs/{name} does not describe them"


def test_asyncapi_when_served_then_is_the_checked_in_one(server: ChatServer, asyncapi: dict) -> None:
    with server.http() as http:
        assert http.get("/docs/asyncapi.json").json() == asyncapi


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def quoted(document: Path) -> Iterator[str]:
    """The code in a document's sentences and tables, without its blocks of code."""
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.M | re.S)
    yield from re.findall(r"`([^`\n]+)`", text)


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@cache
def file_names() -> set[str]:
    """The names of all files in the project's folders, without what is installed."""
    names: set[str] = set()
    for _, folders, files in os.walk(ROOT):
        folders[:] = [folder for folder in folders if folder != "node_modules" and folder[0] != "."]
        names.update(files)
    return names


def exists(name: str, document: Path) -> bool:
    """Whether a file or folder has this path, from the root or from the document's folder. `<app>` is any app."""
    pattern = re.sub(r"<\w+>", "*", name).rstrip("/")
    return name in file_names() or any(
        True for folder in (ROOT, document.parent) for _ in folder.glob(pattern)
    )


@pytest.mark.parametrize("document", TEXTS, ids=relative)
def test_link_when_in_a_document_then_leads_somewhere(document: Path) -> None:
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if re.match(r"https?:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (document.parent / name) if name else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


@pytest.mark.parametrize("document", TEXTS, ids=relative)
def test_path_when_named_in_a_document_then_exists(document: Path) -> None:
    top = {path.name for path in ROOT.iterdir() if path.is_dir()}
    missing = []
    for name in quoted(document):
        if not re.fullmatch(r"[\w.<>*-]+(/[\w.<>*-]+)*/?", name):
            continue
        is_path = name.partition("/")[0] in top | {"<app>"} if "/" in name else name.endswith(SOURCES)
        if (is_path or ("/" in name and name.endswith(SOURCES))) and not exists(name, document):
            missing.append(name)
    assert missing == []


@pytest.mark.parametrize("document", TEXTS, ids=relative)
def test_name_when_in_a_document_then_can_be_imported(document: Path) -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    missing = []
    for name in quoted(document):
        dotted = re.fullmatch(r"((\w+)\.\w+(?:\.\w+)*)(?:\.\*|\(.*\))?", name)
        if dotted is None or dotted[2] not in packages or name in file_names():
            continue
        # A script that `python -m` runs need not be importable.
        if (ROOT / dotted[1].replace(".", "/")).with_suffix(".py").exists():
            continue
        try:
            pkgutil.resolve_name(dotted[1])
        except (ImportError, AttributeError):
            missing.append(name)
    assert missing == []


@pytest.mark.parametrize("document", TEXTS, ids=relative)
def test_command_when_named_in_a_document_then_exists(document: Path) -> None:
    text = document.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    made = set(re.findall(r"(?:`|^|[A-Z]+=\S+ )make ([a-z][a-z-]+)\b", text, re.M))
    managed = set(re.findall(r"manage\.py ([a-z_]+)", text))
    assert made <= targets
    assert managed <= get_commands().keys()
