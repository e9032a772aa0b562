"""Django's SQL compilers, which here make commands: as_sql() returns one in the place of the SQL string.
Knows which query becomes which command; must not know how lookups are translated.
"""

import json
import uuid
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import EmptyResultSet
from django.db import IntegrityError, models
from django.db.models import AutoField, Case, JSONField, Value, When
from django.db.models.constants import OnConflict
from django.db.models.expressions import Col, DatabaseDefault, OrderBy
from django.db.models.lookups import In
from django.db.models.sql import compiler as sql
from django.db.models.sql.query import Query
from django.utils.functional import cached_property

from .commands import DeleteMany, Insert, OneRow, UpdateMany
from .errors import refused
from .expressions import NUMBERS, expression
from .filters import NEVER, TEXT, Where
from .grouping import filter_of, is_count_all, one_document
from .reads import Read
from .scope import Scope, references, target


class MongoCompiler:
    """What all five share. Refused are, by their shape, queries that are not understood."""

    def as_sql(self, *args, **kwargs):
        return self.command(), ()

    def command(self):
        raise NotImplementedError

    def compile(self, node):
        """Django wants SQL only to tell expressions apart here; the node itself will do."""
        if isinstance(node, OrderBy):
            return f"{id(node)} ASC", ()
        return node, ()

    def filter(self, scope: Scope, where) -> dict:
        found = Where(scope).filter(where)
        if found is None:
            if self.elide_empty:
                raise EmptyResultSet
            return NEVER
        return found

    def base_alias(self) -> str:
        """The alias of the collection asked."""
        query = self.query
        active = (alias for alias in query.alias_map if query.alias_refcount[alias])
        alias = next(active, None) or query.get_initial_alias()
        if alias is None or query.alias_map[alias].parent_alias is not None:
            raise refused("a query without a table")
        return alias

    def get_converters(self, expressions):
        converters = super().get_converters(expressions)
        for position, (functions, node) in list(converters.items()):
            if isinstance(node.output_field, JSONField):
                # stored as a document, so there is nothing to parse, unless the field has a decoder of its own
                if node.output_field.decoder is not None:
                    functions = [lambda value, *_: value if value is None else json.dumps(value), *functions]
                elif type(node.output_field).from_db_value is JSONField.from_db_value:
                    functions = [
                        f for f in functions if getattr(f, "__func__", f) is not JSONField.from_db_value
                    ]
                converters[position] = (functions, node)
        return converters


@dataclass
class Whole:
    """What "every field of the model" selects: always the same, so worked out once and kept on the model."""

    fields: list  # the model's, as they were
    alias: str
    select: list
    klass_info: dict
    columns: list[str]
    converters: dict


class SQLCompiler(MongoCompiler, sql.SQLCompiler):
    whole: Whole | None = None

    def get_select(self, with_col_aliases=False):
        query, options = self.query, self.query.model._meta
        if (
            with_col_aliases
            or not query.default_cols
            or query.selected is not None
            or query.select_related
            or query.annotations
            or query.extra
            or query.deferred_loading[0]
            or options.concrete_model._meta.parents
        ):
            return super().get_select(with_col_aliases)
        whole = options.__dict__.get("djongo_lts_whole")
        alias = query.get_initial_alias()
        if whole is None or whole.fields is not options.concrete_fields or whole.alias != alias:
            select, klass_info, _ = super().get_select()
            columns = [node for node, _, _ in select]
            whole = Whole(
                options.concrete_fields,
                alias,
                select,
                klass_info,
                [node.target.column for node in columns],
                self.get_converters(columns),
            )
            options.djongo_lts_whole = whole
        self.whole = whole
        return list(whole.select), whole.klass_info.copy(), {}

    def get_converters(self, expressions):
        return super().get_converters(expressions) if self.whole is None else self.whole.converters

    def command(self):
        query = self.query
        if query.combinator:
            raise refused(f"{query.combinator} of querysets")
        if query.distinct_fields:
            raise refused("distinct() on fields")
        if query.select_for_update:
            raise refused("select_for_update()")
        if query.extra_tables or query.extra_order_by:
            raise refused("extra()")
        _, order_by, group_by = self.pre_sql_setup()
        if self.qualify is not None:
            raise refused("filters on window functions")
        return Read(self, order_by, bool(group_by)).command()

    def explain_query(self):
        """The server's winning plan, as JSON; collections and stages are as MongoDB names them."""
        try:
            command = self.command()
        except EmptyResultSet:
            return
        yield json.dumps(self.connection.explain(command), default=str)


class SQLAggregateCompiler(MongoCompiler, sql.SQLAggregateCompiler):
    def command(self):
        """Aggregates over the rows of a query that is distinct, sliced or grouped."""
        selected = list(self.query.annotation_select.values())
        self.col_count = len(selected)
        inner = self.query.inner_query.get_compiler(self.using, elide_empty=self.elide_empty)
        command = inner.command()
        if len(selected) == 1 and is_count_all(selected[0]):
            return command.count()
        stages, places = command.stages()
        if len(places) != len(inner.select) or any(filter_of(node) is not None for node in selected):
            raise refused("such an aggregate over a distinct, sliced or annotated query")
        found = {alias: place for (_, _, alias), place in zip(inner.select, places, strict=True)}
        named = [(ref, found[ref.refs]) for node in selected for ref in references(node)]
        return OneRow(command.collection, [one_document(Scope(self, None, named=named), stages, selected)])


class SQLInsertCompiler(MongoCompiler, sql.SQLInsertCompiler):
    def execute_sql(self, returning_fields=None):
        query, options = self.query, self.query.get_meta().concrete_model._meta
        if query.on_conflict not in (None, OnConflict.IGNORE):
            raise refused("bulk_create(update_conflicts=True)")
        number = next((f for f in options.local_concrete_fields if isinstance(f, AutoField)), None)
        documents = [self.document(obj, options, number) for obj in query.objs]
        if not documents:
            return []
        insert = Insert(
            options.db_table, documents, number and number.column, query.on_conflict is OnConflict.IGNORE
        )
        with self.connection.cursor() as cursor:
            cursor.execute(insert)
        if not returning_fields:
            return []
        rows = [tuple([document[field.column] for field in returning_fields]) for document in documents]
        columns = [field.get_col(options.db_table) for field in returning_fields]
        return list(self.apply_converters(rows, self.get_converters(columns)))

    def document(self, obj, options, number) -> dict:
        document, raw = {}, self.query.raw
        for field, column, attname, nullable, plain in self.plan:
            value = getattr(obj, attname) if raw or plain else field.pre_save(obj, add=True)
            if value is not None and type(value) is not plain:
                value = self.stored(field, value)
            if value is None and not nullable and field is not number:
                raise null_in(field)
            document[column] = value
        if len(document) < len(options.local_concrete_fields):
            for field in options.local_concrete_fields:
                document.setdefault(field.column, None)
        return document

    @cached_property
    def plan(self) -> list[tuple]:
        return [(f, f.column, f.attname, f.null, plain_type(f)) for f in self.query.fields]

    def stored(self, field, value):
        if type(field) is models.DateTimeField and getattr(value, "tzinfo", None) and settings.USE_TZ:
            return value
        if hasattr(value, "resolve_expression"):
            value = self.constant(field, value)
        return field.get_db_prep_save(value, self.connection)

    def constant(self, field, value):
        if isinstance(value, DatabaseDefault):
            value = value.expression
        if not isinstance(value, Value):
            raise refused("an expression in an insert")
        if isinstance(field, JSONField):
            return value  # which takes Value(None) for a JSON null, and refuses it
        return value.value


class SQLDeleteCompiler(MongoCompiler, sql.SQLDeleteCompiler):
    def command(self):
        query = self.query
        if not self.single_alias:
            inner = query.clone()
            inner.__class__ = Query
            inner.clear_select_clause()
            inner.select = [query.model._meta.pk.get_col(query.get_initial_alias())]
            query = Query(query.model)
            query.add_filter("pk__in", inner)
        scope = Scope(self, query.get_initial_alias())
        return DeleteMany(query.base_table, self.filter(scope, query.where))


class SQLUpdateCompiler(MongoCompiler, sql.SQLUpdateCompiler):
    def command(self):
        self.pre_sql_setup()
        query, scope = self.query, Scope(self, self.base_alias())
        values, computed = {}, {}
        for field, _, value in query.values:
            if field.primary_key and field.column == "_id":
                raise refused("an update of a primary key stored as _id")
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
                raise null_in(field)
        if not values and not computed:
            raise EmptyResultSet
        where = self.filter(scope, query.where)
        if not computed:
            return UpdateMany(query.base_table, where, {"$set": values})
        # a pipeline, in which a string that begins with $ would be a field
        literals = {column: {"$literal": value} for column, value in values.items()}
        return UpdateMany(query.base_table, where, [{"$set": {**literals, **computed}}])

    def computed(self, scope, field, value):
        if isinstance(value, Case) and self.covers(value):
            value.default = field.get_col(scope.base)  # of bulk_update(): never reached
        if not field.null and scope.nullable(value):
            raise refused("an update of a NOT NULL column with what may be null")
        return stored_as(field, value, expression(scope, value))

    def covers(self, case: Case) -> bool:
        """Whether every row filtered has a When() of its own."""
        if not (isinstance(case.default, Value) and case.default.value is None):
            return False
        for child in self.query.where.children:
            if isinstance(child, In) and child.lhs.target.primary_key and child.rhs_is_direct_value():
                cases = {getattr(e, "rhs", None) for when in case.cases for e in when.condition.children}
                return set(child.rhs) <= cases
        return False


INTEGERS = NUMBERS - {"FloatField", "DecimalField"}
# Values of just this type are stored as they are: no need to ask the field about each.
PLAIN = {
    models.BooleanField: bool,
    models.CharField: str,
    models.EmailField: str,
    models.FloatField: float,
    models.SlugField: str,
    models.TextField: str,
    models.URLField: str,
    models.UUIDField: uuid.UUID,
    **dict.fromkeys(
        (
            models.AutoField,
            models.BigAutoField,
            models.BigIntegerField,
            models.IntegerField,
            models.PositiveBigIntegerField,
            models.PositiveIntegerField,
            models.PositiveSmallIntegerField,
            models.SmallIntegerField,
        ),
        int,
    ),
}


def plain_type(field) -> type | None:
    own = type(field) in (models.ForeignKey, models.OneToOneField)
    return PLAIN.get(type(target(field) if own else field))


def stored_as(field, value, computed):
    """The computed value in the type the field is stored in: in MongoDB a sum of integers stays an integer."""
    kind, given = target(field).get_internal_type(), kinds(value)
    if kind in ("FloatField", "DecimalField") and given <= NUMBERS:
        return {"$toDouble" if kind == "FloatField" else "$toDecimal": computed}
    if given <= {kind}:
        return computed
    if (kind in INTEGERS and given <= INTEGERS) or given | {kind} <= TEXT:
        return computed
    raise refused(f"an update of a {kind} with {', '.join(sorted(given))}")


def kinds(node) -> set[str]:
    """The types of the values an expression is made of; not its output_field, which Django often cannot tell."""
    if isinstance(node, When):
        return kinds(node.result)
    if isinstance(node, (Col, Value)) or not node.get_source_expressions():
        field = node._output_field_or_none
        return set() if field is None else {target(field).get_internal_type()}
    return set().union(*(kinds(source) for source in node.get_source_expressions()))


def null_in(field) -> IntegrityError:
    return IntegrityError(f"NOT NULL constraint failed: {field.model._meta.db_table}.{field.column}")
