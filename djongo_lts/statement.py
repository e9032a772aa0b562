"""A statement: the base of all five compilers.

In: a command, which each compiler makes of its query, such as `Find("message", {"seq": 7}, columns)`.
Out: `as_sql()` gives `(command, ())` where Django expects a SQL string and its parameters. A command with large IN
lists is cut into parts. A query shape without a command raises NotSupportedError.
"""

from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models.expressions import OrderBy

from .command import Command
from .errors import unsupported
from .filters import where_filter
from .logic import NEVER
from .rows import Converters, converted, without_json_parsing
from .scope import Scope


class MongoCompiler:
    """The methods that the five share. Each class inherits them and those of Django's compiler of its name."""

    connection: Any
    query: Any
    elide_empty: bool
    # The size of the IN lists in the command. It is known once the filters are translated.
    list_bytes = 0

    def as_sql(self, *args: Any, **kwargs: Any) -> Any:
        return self.fitting(self.command()), ()

    def command(self) -> Command:
        raise NotImplementedError

    def fitting(self, command: Command) -> Command:
        """The command, in parts if its IN lists are too large for one."""
        if self.list_bytes <= self.connection.max_list_bytes:
            return command
        return command.in_parts(self.connection.max_list_bytes)

    def compile(self, node: Any) -> tuple[Any, Any]:
        """Returns the node itself. Django compiles an expression here only to tell it apart from others."""
        if isinstance(node, OrderBy):
            return f"{id(node)} ASC", ()
        return node, ()

    def filter(self, scope: Scope, where: Any) -> dict[str, Any]:
        """The filter for the server. Raises EmptyResultSet if nothing can match, unless Django wants a command."""
        found = where_filter(scope, where)
        if found is None:
            if self.elide_empty:
                raise EmptyResultSet
            return NEVER
        return found

    def base_alias(self) -> str:
        """The alias of the collection that the command runs on; the others are joined to it."""
        query = self.query
        active = (alias for alias in query.alias_map if query.alias_refcount[alias])
        alias = next(active, None) or query.get_initial_alias()
        if alias is None or query.alias_map[alias].parent_alias is not None:
            raise unsupported("a query without a table")
        return alias

    def apply_converters(self, rows: Any, converters: Converters) -> Any:
        return converted(rows, converters, self.connection)

    def get_converters(self, expressions: Any) -> Converters:
        # Django's compiler of the same name, which each class has as its second base.
        django: Any = super()
        return without_json_parsing(django.get_converters(expressions))
