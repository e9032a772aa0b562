"""Environment: reads the variables of settings.py, and keeps what docs/configuration.md says about them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from environs import Env, EnvError, ValidationError, validate

from foundation.limits.declaration import NamedLimit
from foundation.limits.rates import Rate

T = TypeVar("T")

MIN_SECRET_CHARS = 32


@dataclass(frozen=True, slots=True)
class Variable:
    """A row of docs/configuration.md: the default as it is written there, and the meaning."""

    name: str
    default: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Section:
    """A table of docs/configuration.md, and the paragraph above it."""

    title: str
    introduction: str
    variables: list[Variable] = field(default_factory=list)


class Environment:
    """Reads environment variables. Each is declared by the call that reads it, in the current section.

    A value that a reader refuses stops the start with an EnvError that names the variable. `shown` replaces the
    default in the document where that is no plain value, for example `"empty: no traces"`.
    """

    def __init__(self) -> None:
        self._env = Env()
        self.sections: list[Section] = []

    def section(self, title: str, introduction: str = "") -> None:
        """Begin a section: the variables that are read from now on belong to it."""
        self.sections.append(Section(title, introduction))

    def names(self) -> set[str]:
        return {variable.name for section in self.sections for variable in section.variables}

    def text(self, name: str, default: str, meaning: str, **options: Any) -> str:
        return str(self._read(self._env.str, name, default, meaning, **options))

    def switch(self, name: str, default: bool, meaning: str) -> bool:
        return bool(self._read(self._env.bool, name, default, meaning))

    def texts(self, name: str, default: list[str], meaning: str, **options: Any) -> list[str]:
        return list(self._read(self._env.list, name, default, meaning, **options))

    def one_of(self, name: str, choices: tuple[str, ...], default: str, meaning: str) -> str:
        """One of `choices`, which are upper case. The variable may be in lower case."""
        return self.text(
            name, default, meaning, validate=lambda text: validate.OneOf(choices)(text.upper())
        ).upper()

    def whole(self, name: str, default: int, meaning: str, *, least: int = 1, most: int) -> int:
        """A count, size or duration from `least` to `most`."""
        return int(self._bounded(self._env.int, name, default, meaning, least=least, most=most))

    def seconds(self, name: str, default: float, meaning: str, *, least: float, most: float) -> float:
        """A duration from `least` to `most`, perhaps with a fraction."""
        return float(self._bounded(self._env.float, name, default, meaning, least=least, most=most))

    def parsed(
        self, name: str, default: str, meaning: str, *, parse: Callable[[str], T], **options: Any
    ) -> T:
        """The text as `parse` reads it."""
        return self.parse(name, self.text(name, default, meaning, **options), parse)

    @staticmethod
    def parse(name: str, text: str, parse: Callable[[str], T]) -> T:
        """What `parse` makes of the text; its ValueError becomes an EnvError that names the variable."""
        try:
            return parse(text)
        except ValueError as error:
            raise EnvError(f'Environment variable "{name}" invalid: {error}') from error

    def rate(self, limit: NamedLimit) -> Rate:
        meaning = f"{limit.counts}. {limit.while_redis_is_away.value}"
        return self.parsed(limit.variable, limit.default, meaning, parse=Rate.parse)

    def _bounded(
        self, read: Callable[..., Any], name: str, default: float, meaning: str, *, least: float, most: float
    ) -> Any:
        value = self._read(read, name, default, meaning, shown=f"`{default:.15g}`, from {least} to {most}")
        # Not a number is in no range.
        if not least <= value <= most:
            raise EnvError(f'Environment variable "{name}" invalid: {value} is not from {least} to {most}.')
        return value

    def _read(
        self,
        read: Callable[..., Any],
        name: str,
        default: Any,
        meaning: str,
        *,
        shown: str = "",
        **options: Any,
    ) -> Any:
        if name in self.names():
            raise ValueError(f"{name} is declared twice")
        self.sections[-1].variables.append(Variable(name, shown or _shown(default), meaning))
        return read(name, default, **options)


def empty_or_long(text: str) -> None:
    """A validator of optional secrets."""
    if 0 < len(text) < MIN_SECRET_CHARS:
        raise ValidationError(f"Give at least {MIN_SECRET_CHARS} random characters.")


def _shown(default: Any) -> str:
    """The default as somebody would write it into the environment: `on`, `127.0.0.1,localhost`."""
    if default in ("", []):
        return "empty"
    if isinstance(default, bool):
        return "`on`" if default else "`off`"
    return f"`{','.join(default)}`" if isinstance(default, list) else f"`{default}`"
