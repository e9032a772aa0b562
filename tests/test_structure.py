"""Names, docstrings and sizes of all modules, and the modules that publish events."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.kit.paths import ROOT
from tests.kit.sources import project_modules, server_modules

pytestmark = pytest.mark.once  # sources

# Modules that may be called as one of the standard library or of a dependency, and why.
NAME_EXEMPT = {
    "selectors": "the Django styleguide's word for the reads of an app",
    "foundation/redis": "imported by its full name only",
}
# Server modules that may have more than MAX_LINES lines, and why.
MAX_LINES = 200
SIZE_EXEMPT = {
    "chatproject/settings.py": "all settings are in one file",
}


def name_of(path: Path) -> str:
    """The path of a module relative to the project: `foundation/redis` for a package, `rooms/marks` for a file."""
    relative = path.relative_to(ROOT)
    return str(relative.parent if path.name == "__init__.py" else relative.with_suffix(""))


def pinned() -> set[str]:
    """The names of all locked packages, as pip normalises them."""
    texts = [(ROOT / name).read_text() for name in ("requirements.txt", "requirements-dev.txt")]
    return {normalised(name) for text in texts for name in re.findall(r"^([\w.-]+)==", text, re.M)}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def foreign_names() -> set[str]:
    """The top-level modules of the standard library and of everything that is locked."""
    locked = pinned()
    dependencies = {
        module
        for module, distributions in packages_distributions().items()
        if any(normalised(distribution) in locked for distribution in distributions)
    }
    assert {"redis", "engineio", "django"} <= dependencies, "the locked packages are installed"
    return dependencies | sys.stdlib_module_names


def test_module_when_named_then_not_as_a_foreign_module() -> None:
    foreign, names = foreign_names(), {name_of(path) for path in project_modules()}
    taken = {
        name
        for name in names
        if (last := name.rpartition("/")[2]) in foreign and not {name, last} & NAME_EXEMPT.keys()
    }
    assert taken == set(), "rename these: they have the names of other people's modules"
    unused = {
        exempt for exempt in NAME_EXEMPT if not any(f"/{name}".endswith(f"/{exempt}") for name in names)
    }
    assert unused == set()


def packages() -> list[Path]:
    """The packages that have to say what they are for. The others have names that Django or pytest gave them."""
    given = {"management", "commands", "migrations", "testapp", "peers"}
    tests_of_apps = {
        path for path in project_modules() if path.parent.name == "tests" and path.parent.parent != ROOT
    }
    return [
        path
        for path in project_modules()
        if path.name == "__init__.py" and path not in tests_of_apps and not given & set(path.parts)
    ]


@pytest.mark.parametrize("path", packages(), ids=name_of)
def test_package_when_opened_then_says_what_it_is_for(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring, f"{name_of(path)}/__init__.py does not say what the package is for"


@pytest.mark.parametrize("path", [path for path in packages() if path.parent.parent == ROOT], ids=name_of)
def test_top_folder_when_opened_then_says_it_in_one_line(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring is not None
    assert len(docstring.splitlines()) == 1 or path.parent.name == "djongo_lts", (
        "with its licence in a second line"
    )
    assert docstring.splitlines()[0].endswith((".", ","))


def test_server_modules_when_counted_then_none_has_too_many_lines() -> None:
    sizes = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in server_modules()}
    too_long = {name: size for name, size in sizes.items() if size > MAX_LINES and name not in SIZE_EXEMPT}
    assert too_long == {}, f"more than {MAX_LINES} lines: divide these by what they do"
    assert SIZE_EXEMPT.keys() <= sizes.keys()


def publishes(path: Path) -> bool:
    """Whether the module calls a method of the hub that sends a frame to connections."""
    calls = (node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    return any(isinstance(call, ast.Attribute) and call.attr in ("publish", "send_to") for call in calls)


def test_event_when_published_then_by_a_service() -> None:
    """A handler or view that publishes would leave the other way in, REST or the socket, without the event."""
    names = {name_of(path) for path in server_modules() if publishes(path)}
    apps = {name for name in names if not name.startswith("realtime/")}
    assert "rooms/services/publishing" in apps
    assert {name for name in apps if "services" not in name.split("/")} == set(), (
        "publish in the app's services"
    )


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in server_modules()
        if path.relative_to(ROOT).parts[0] in ("foundation", "realtime") and path.name != "__init__.py"
    ],
    ids=name_of,
)
def test_module_of_a_base_when_written_then_has_its_test_file(path: Path) -> None:
    """For foundation and realtime: `realtime/hub/link.py` is tested in `realtime/tests/test_hub_link.py`."""
    base, *parts = path.relative_to(ROOT).with_suffix("").parts
    assert (ROOT / base / "tests" / f"test_{'_'.join(parts)}.py").exists()
