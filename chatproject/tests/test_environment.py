"""Environment: the readers of environment variables, and the rows that docs/configuration.md gets from them."""

import pytest
from environs import EnvError

from chatproject.configuration_page import markdown
from chatproject.environment import Environment
from chatproject.settings import env as settings_env
from foundation.limits.named import LIMITS, MESSAGES_USER
from foundation.limits.rates import Rate
from tests.kit.paths import ROOT

pytestmark = pytest.mark.once  # the environment's values


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> Environment:
    for name in ("COLOUR", "COUNT", MESSAGES_USER.variable):
        monkeypatch.delenv(name, raising=False)
    environment = Environment()
    environment.section("Paint", "How it looks.")
    return environment


def test_readers_when_the_variable_is_not_set_then_give_the_default(env: Environment) -> None:
    assert env.text("A_TEXT", "red", "a text") == "red"
    assert env.switch("A_SWITCH", True, "a switch") is True
    assert env.texts("A_LIST", ["a", "b"], "a list") == ["a", "b"]
    assert env.whole("A_COUNT", 3, "a count", most=9) == 3
    assert env.seconds("A_TIME", 1.5, "a time", least=0.5, most=9) == 1.5
    assert env.rate(MESSAGES_USER) == Rate.parse(MESSAGES_USER.default)


def test_readers_when_the_variable_is_set_then_give_its_value(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"A_TEXT": "blue", "A_SWITCH": "off", "A_LIST": "c,d", "A_COUNT": "7"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(MESSAGES_USER.variable, "1/1h")
    assert env.text("A_TEXT", "red", "a text") == "blue"
    assert env.switch("A_SWITCH", True, "a switch") is False
    assert env.texts("A_LIST", ["a", "b"], "a list") == ["c", "d"]
    assert env.whole("A_COUNT", 3, "a count", most=9) == 7
    assert env.rate(MESSAGES_USER) == Rate(1, 3600)


@pytest.mark.parametrize("value", ["0", "11", "1.5", "many"])
def test_whole_when_out_of_bounds_then_the_error_names_the_variable(
    env: Environment, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("COUNT", value)
    with pytest.raises(EnvError, match="COUNT"):
        env.whole("COUNT", 3, "a count", most=10)


def test_variable_when_declared_twice_then_fails(env: Environment) -> None:
    env.text("COLOUR", "red", "the colour")
    with pytest.raises(ValueError, match="COLOUR is declared twice"):
        env.text("COLOUR", "blue", "the colour")


def test_page_when_written_then_has_a_row_for_each_variable(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLOUR", "secret")
    env.text("COLOUR", "", "the colour", shown="empty: no colour")
    env.switch("SHINY", False, "whether it shines")
    env.seconds("DRYING_SECONDS", 15.0, "until it is dry", least=0.5, most=60)
    env.texts("LAYERS", ["a", "b"], "its layers")
    assert markdown(env.sections).endswith(
        "## Paint\n\nHow it looks.\n\n| variable | default | meaning |\n|---|---|---|\n"
        "| `COLOUR` | empty: no colour | the colour |\n"
        "| `SHINY` | `off` | whether it shines |\n"
        "| `DRYING_SECONDS` | `15`, from 0.5 to 60 | until it is dry |\n"
        "| `LAYERS` | `a,b` | its layers |\n"
    )


def test_page_when_compared_with_settings_then_has_every_variable() -> None:
    assert markdown(settings_env.sections) == (ROOT / "docs/configuration.md").read_text()
    assert {limit.variable for limit in LIMITS} <= settings_env.names()


def test_variables_when_declared_then_each_says_what_it_means() -> None:
    for section in settings_env.sections:
        for variable in section.variables:
            assert len(variable.meaning) >= 10, variable.name
            assert "|" not in variable.default + variable.meaning, variable.name
