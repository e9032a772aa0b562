"""docs/configuration.md, written from the declarations in settings.py and foundation/limits/named.py."""

from .environment import Section

INTRODUCTION = """\
# Configuration

Every setting is an environment variable, read once at the start by `chatproject/settings.py`. An invalid value
stops the start with a message that names the variable. `DEBUG=on` alone gives a working chat on this machine
(`make run`). `manage.py check --deploy` reports settings that are unsafe in a deployment;
[operations.md](operations.md) describes how to run one. This page is written by `make docs`.

- Rates are `count/period`: `10/5s` (ten in five seconds), `100/15m`, `5/h`.
- Times are in seconds, sizes in the unit that the name says.
- Switches are `on` or `off`.
- Lists are separated by commas.
"""


def markdown(sections: list[Section]) -> str:
    """The whole page; `manage.py write_docs` writes it."""
    return "\n".join([INTRODUCTION, *map(_section, sections)])


def _section(section: Section) -> str:
    introduction = f"{section.introduction}\n\n" if section.introduction else ""
    rows = [
        f"| `{variable.name}` | {variable.default} | {variable.meaning} |" for variable in section.variables
    ]
    return "\n".join(
        [
            f"## {section.title}",
            "",
            f"{introduction}| variable | default | meaning |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )
