"""The UPDATE and DELETE compilers. Each statement becomes one update_many() or delete_many().

In: Django's Query. Out: a command, such as `UpdateMany("message", {"seq": 7}, {"$set": {"note": "x"}})`.
"""

from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import Case, JSONField, Value, When
from django.db.models.expressions import Col
from django.db.models.lookups import In
from django.db.models.sql import compiler as sql
from django.db.models.sql.query import Query

from .command import Command
from .errors import not_null_error, unsupported
from .expressions import expression
from .field_types import INTEGERS, NUMBERS, TEXTS, target
from .scope import Scope
from .statement import MongoCompiler
from .write_commands import DeleteMany, UpdateMany


class SQLDeleteCompiler(MongoCompiler, sql.SQLDeleteCompiler):
    def command(self) -> Command:
        query = self.query
        if not self.single_alias:
            inner = query.clone()
            inner.__class__ = Query
            inner.clear_select_clause()
            inner.select = [query.model._meta.pk.get_col(query.get_initial_alias())]
            query = Query(query.model)
            add_filter: Any = query.add_filter
            add_filter("pk__in", inner)
        scope = Scope(self, query.get_initial_alias())
        return DeleteMany(query.base_table, self.filter(scope, query.where))


class SQLUpdateCompiler(MongoCompiler, sql.SQLUpdateCompiler):
    def command(self) -> Command:
        self.pre_sql_setup()
        query, scope = self.query, Scope(self, self.base_alias())
        values, computed = {}, {}
        for field, _, value in query.values:
            if field.primary_key and field.column == "_id":
                raise unsupported("an update of a primary key stored as _id")
            if hasattr(value, "resolve_expression"):
                value = value.resolve_expression(query, allow_joins=False, for_save=True)
                if not isinstance(value, Value) or isinstance(value.output_field, JSONField):
                    computed[field.column] = self.computed(scope, field, value)
                    continue
                value = value.value
            elif hasattr(value, "prepare_database_save"):
                value = value.prepare_database_save(field)
            values[field.column] = value = field.get_db_prep_save(value, self.connection)
            if value is None and not field.null:
                raise not_null_error(field)
        if not values and not computed:
            raise EmptyResultSet
        where = self.filter(scope, query.where)
        if not computed:
            return UpdateMany(query.base_table, where, {"$set": values})
        # In a pipeline, a string that begins with $ is a field path unless it is a $literal.
        literals = {column: {"$literal": value} for column, value in values.items()}
        return UpdateMany(query.base_table, where, [{"$set": {**literals, **computed}}])

    def computed(self, scope: Scope, field: Any, value: Any) -> Any:
        if isinstance(value, Case) and self.covers_every_row(value):
            # bulk_update() gives the default NULL. It is never reached here, but would count as nullable below.
            value.default = field.get_col(scope.base)
        if not field.null and scope.nullable(value):
            raise unsupported("an update of a NOT NULL column with a nullable expression")
        return converted(field, value, expression(scope, value))

    def covers_every_row(self, case: Case) -> bool:
        """Whether a `pk__in` filter limits the update to rows that have a When() of their own."""
        if not (isinstance(case.default, Value) and case.default.value is None):
            return False
        for child in self.query.where.children:
            if isinstance(child, In) and child.lhs.target.primary_key and child.rhs_is_direct_value():
                cases = {getattr(e, "rhs", None) for when in case.cases for e in when.condition.children}
                return set(child.rhs) <= cases
        return False


def converted(field: Any, value: Any, computed: Any) -> Any:
    """The computed value, converted to the stored type of the field: in MongoDB a sum of integers is an integer."""
    kind, given = target(field).get_internal_type(), source_types(value)
    if kind in ("FloatField", "DecimalField") and given <= NUMBERS:
        return {"$toDouble" if kind == "FloatField" else "$toDecimal": computed}
    if given <= {kind}:
        return computed
    if (kind in INTEGERS and given <= INTEGERS) or given | {kind} <= TEXTS:
        return computed
    raise unsupported(f"an update of a {kind} with {', '.join(sorted(given))}")


def source_types(node: Any) -> set[str]:
    """The internal types of the columns and values in an expression.

    Its output_field is not used, because Django often cannot infer it.
    """
    if isinstance(node, When):
        return source_types(node.result)
    whole = isinstance(node, (Col, Value)) or hasattr(node, "as_djongo")
    if whole or not node.get_source_expressions():
        field = node._output_field_or_none
        return set() if field is None else {target(field).get_internal_type()}
    return set().union(*(source_types(source) for source in node.get_source_expressions()))
