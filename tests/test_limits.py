"""What is declared of a rate limit, compared with the code that takes from it and with `ready.limits`."""

import ast
from collections import defaultdict
from collections.abc import Iterator

import msgspec
import pytest

from foundation.limits import named
from foundation.limits.declaration import NamedLimit
from foundation.limits.named import LIMITS
from realtime.session.ready import Limits, limits
from tests.kit.paths import ROOT
from tests.kit.sources import modules_of_tests, server_modules

pytestmark = pytest.mark.once  # declarations and sources

DECLARATIONS = ROOT / "foundation/limits/named.py"
CONSTANTS = {name: value for name, value in vars(named).items() if isinstance(value, NamedLimit)}
REST, SOCKET = "REST", "a socket"


def takers(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """The constants that are taken from: (constant, REST) for `check_rate(request, X)`, (constant, SOCKET) for
    `X.of(owner)` and `X.rate`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "check_rate":
            yield from ((ast.unparse(argument), REST) for argument in node.args[1:2])
        elif isinstance(node, ast.Attribute) and node.attr in ("of", "rate"):
            yield ast.unparse(node.value), SOCKET


@pytest.fixture(scope="module")
def taken() -> dict[str, set[str]]:
    """For each constant that is taken from, by what: REST, a socket, or both."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in server_modules():
        if path != DECLARATIONS:
            for constant, by in takers(ast.parse(path.read_text())):
                found[constant].add(by)
    return found


@pytest.mark.parametrize("constant", CONSTANTS)
def test_limit_when_declared_then_the_server_takes_from_it(taken: dict[str, set[str]], constant: str) -> None:
    assert taken.get(constant), (
        f"{constant} is declared and never taken: call `get_rate_limiter().check({constant}.of(..))`, or "
        f"`check_rate(request, {constant}, key=..)` in a view"
    )


@pytest.mark.parametrize("constant", CONSTANTS)
def test_limit_when_a_socket_meets_it_then_it_has_a_field_of_ready(
    taken: dict[str, set[str]], constant: str
) -> None:
    if SOCKET in taken[constant]:
        assert CONSTANTS[constant].ready_field, (
            f"clients of a socket meet {constant}: name its field of `ready.limits` in `ready_field`"
        )
    else:
        assert CONSTANTS[constant].ready_field is None, f"{constant} is taken by REST only"


def test_ready_limits_when_a_limit_has_a_field_then_has_that_field() -> None:
    rates = {field.name for field in msgspec.structs.fields(Limits) if field.type is str}
    assert rates == {limit.ready_field for limit in LIMITS if limit.ready_field}, (
        "the rates of `Limits`, the struct of `ready.limits`, are the `ready_field`s of foundation/limits/named.py"
    )
    shown = msgspec.to_builtins(limits())
    assert (shown["messagesUser"], shown["messagesRoom"], shown["frames"]) == ("10/5s", "50/5s", "50/1s")


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_limit_when_declared_then_a_test_sets_it_and_sees_it_refuse(limit: NamedLimit) -> None:
    """Settings alone do not count: the module has to look at the refusal too."""
    sources = [path.read_text() for path in modules_of_tests()]
    assert any(
        limit.variable in text and 'RATE_LIMITS="on"' in text and ("rate_limited" in text or "429" in text)
        for text in sources
    ), f'no test sets {limit.variable} with RATE_LIMITS="on" and expects `rate_limited`'


def test_limit_when_listed_then_no_other_has_its_name() -> None:
    names = [limit.name for limit in LIMITS]
    assert len(set(names)) == len(names), f"limits of one name would share their counts: {names}"


def test_limit_when_declared_then_is_in_the_list() -> None:
    assert tuple(CONSTANTS.values()) == LIMITS


def test_limit_when_made_elsewhere_then_is_found() -> None:
    for path in server_modules():
        if path != DECLARATIONS:
            assert "NamedLimit(" not in path.read_text(), (
                f"{path}: declare limits in foundation/limits/named.py"
            )
