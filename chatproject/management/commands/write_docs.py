"""`manage.py write_docs`: the files that are generated from the code: documents in docs/, and types for clients."""

from argparse import ArgumentParser
from typing import Any

import yaml
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.validation import validate_schema

from chatproject import configuration_page, error_guide, invariants_page
from chatproject.events_page import document
from chatproject.settings import env
from operations.integrity import RULES
from realtime.typescript import build_types


class Plain(yaml.SafeDumper):
    """YAML without aliases for repeated values, and with block style for texts of several lines."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Plain.add_representer(str, _text)


class Command(BaseCommand):
    help = "Write the documents in docs/ and clients/js/events.d.ts from the code."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; fail where a file differs")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        documents = {
            "docs/openapi.yaml": _yaml(openapi()),
            "docs/asyncapi.yaml": _yaml(document()),
            "docs/errors.md": error_guide.markdown(),
            "docs/configuration.md": configuration_page.markdown(env.sections),
            "docs/invariants.md": invariants_page.markdown(RULES.values()),
            "clients/js/events.d.ts": build_types(document()),
        }
        stale = []
        for name, text in documents.items():
            path = settings.BASE_DIR / name
            if path.exists() and path.read_text() == text:
                continue
            stale.append(name)
            if not check:
                path.write_text(text)
                self.stdout.write(f"wrote {name}")
        if check and stale:
            raise CommandError(f"{', '.join(stale)} no longer say what the code does: run `make docs`.")


def _yaml(content: Any) -> str:
    return yaml.dump(content, Dumper=Plain, sort_keys=False, allow_unicode=True, width=110)


def openapi() -> dict[str, Any]:
    """The OpenAPI document, valid and without a warning; CommandError says what is wrong with it."""
    schema = spectacular_settings.DEFAULT_GENERATOR_CLASS().get_schema(request=None, public=True)
    if GENERATOR_STATS:
        GENERATOR_STATS.emit_summary()
        raise CommandError("drf-spectacular warns; see above.")
    validate_schema(schema)
    return dict(schema)
