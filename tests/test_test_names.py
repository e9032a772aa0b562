"""Every test of the repository is named `test_<what>_when_<condition>_then_<outcome>`, in under 70 characters."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.paths import ROOT

pytestmark = pytest.mark.once  # reads files

MAX_CHARS = 69
SHAPE = re.compile(r"test_\w+_when_\w+_then_\w+")
LEFT_OUT = {".git", ".venv", "node_modules"}


def wrong_names(source: str) -> list[str]:
    """Returns the names of test functions in the source that are too long or of another shape."""
    functions = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    names = [function.name for function in functions if function.name.startswith("test_")]
    return [name for name in names if len(name) > MAX_CHARS or not SHAPE.fullmatch(name)]


def modules(folder: Path = ROOT) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name not in LEFT_OUT:
            yield from modules(path)
        elif path.match("test_*.py"):
            yield path


def test_names_when_a_test_is_added_then_say_what_when_and_then() -> None:
    wrong = {
        str(path.relative_to(ROOT)): names for path in modules() if (names := wrong_names(path.read_text()))
    }
    assert wrong == {}


def test_wrong_names_when_one_is_long_or_shapeless_then_returns_it() -> None:
    too_long = f"test_room_when_renamed_then_{'x' * 50}"
    names = ("test_room_when_renamed_then_answers", too_long, "test_room_then_is")
    source = "\n".join(f"async def {name}(): ..." for name in names)
    assert wrong_names(source) == [too_long, "test_room_then_is"]
