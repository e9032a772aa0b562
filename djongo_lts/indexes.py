"""Creates and drops indexes and unique constraints for migrations."""

import datetime
from decimal import Decimal

from bson import Binary, Decimal128
from django.db.models import UniqueConstraint
from django.db.models.sql.query import Query

from .errors import unsupported
from .filters import where_filter
from .scope import Scope

# The lowest value of each BSON type. {"$gte": lowest} matches all values of the type and no null. MongoDB uses an
# index with this partial filter for an equality, which it does not with {"$type": ..}.
LOWEST_VALUES = {
    "binData": Binary(b""),
    "bool": False,
    "date": datetime.datetime.min,
    "decimal": Decimal128(Decimal("-Infinity")),
    "double": float("-inf"),
    "int": float("-inf"),
    "long": float("-inf"),
    "string": "",
}
PARTIAL_OPERATORS = {"$gt", "$gte", "$lt", "$lte", "$in"}


class Indexes:
    """The part of the schema editor for indexes. The editor provides `run(description, function)`."""

    def create_index(self, model, keys, name, unique=False, where=None, **options):
        table = model._meta.db_table
        if unique:
            options["unique"] = True
        if where:
            options["partialFilterExpression"] = where
        self.run(
            f"create index {name} on {table} {keys} {options}",
            lambda collections: collections[table].create_index(keys, name=name, **options),
        )

    def drop_index(self, model, name):
        table = model._meta.db_table
        self.run(f"drop index {name} on {table}", lambda collections: collections[table].drop_index(name))

    def drop_unique(self, model, columns: list[str]):
        """Drops the unique indexes over exactly these columns, under any name but a constraint's of the model."""
        kept = {constraint.name for constraint in model._meta.constraints}

        def drop(collections):
            collection = collections[model._meta.db_table]
            for name, index in collection.index_information().items():
                if name not in kept and index.get("unique") and [c for c, _ in index["key"]] == columns:
                    collection.drop_index(name)

        self.run(f"drop unique index on {model._meta.db_table} {columns}", drop)

    def index_field(self, model, field):
        column = field.column
        if column == "_id":
            return
        if field.primary_key:
            self.create_index(model, [(column, 1)], "__primary_key__", unique=True)
        elif field.unique:
            self.create_index(model, [(column, 1)], f"{column}_uniq", True, self.not_null_filter([field]))
        elif field.db_index:
            self.create_index(model, [(column, 1)], f"{column}_idx")

    def create_unique(self, model, names, name=None, where=None, nulls_distinct=True):
        fields = [model._meta.get_field(field) for field in names]
        parts = [part for part in (where, self.not_null_filter(fields) if nulls_distinct else None) if part]
        where = {"$and": parts} if len(parts) > 1 else parts[0] if parts else None
        columns = [field.column for field in fields]
        self.create_index(model, [(c, 1) for c in columns], name or "_".join([*columns, "uniq"]), True, where)

    def not_null_filter(self, fields) -> dict | None:
        """The partial filter that leaves rows with a null out of a unique index, as SQL does.

        For example `{"slug": {"$gte": ""}}`; None if no field is nullable.
        """
        where = {}
        for field in fields:
            if field.null:
                where[field.column] = self.not_null(field)
        return where or None

    def not_null(self, field) -> dict:
        """The condition of a partial filter for all values except null. Raises NotSupportedError for JSON."""
        if self.bson_type(field) not in LOWEST_VALUES:
            raise unsupported(f"an index without the nulls of a {field.get_internal_type()}")
        return {"$gte": LOWEST_VALUES[self.bson_type(field)]}

    def condition_filter(self, model, q) -> dict | None:
        """The filter of a partial index for a Q, or None without one."""
        if q is None:
            return None
        query = Query(model, alias_cols=True)
        compiler = query.get_compiler(connection=self.connection)
        built = query.build_where(q)
        return self.partial_filter(model, where_filter(Scope(compiler, query.get_initial_alias()), built))

    def partial_filter(self, model, where) -> dict:
        """The filter in the few operators that MongoDB accepts in a partial index.

        Raises NotSupportedError for a condition with others.
        """
        found = {}
        for name, value in (where or {"$none": None}).items():
            if name == "$and":
                found[name] = [self.partial_filter(model, part) for part in value]
            # IS NOT NULL
            elif isinstance(value, dict) and value.get("$ne", value) is None:
                field = next(f for f in model._meta.local_concrete_fields if f.column == name)
                others = {operator: bound for operator, bound in value.items() if operator != "$ne"}
                found.update(self.partial_filter(model, {name: others or self.not_null(field)}))
            elif name.startswith("$") or (isinstance(value, dict) and not value.keys() <= PARTIAL_OPERATORS):
                raise unsupported(f"an index on the condition {where}")
            else:
                found[name] = value
        return found

    def add_constraint(self, model, constraint):
        if not isinstance(constraint, UniqueConstraint):
            # A CHECK constraint is not created; Django's check models.W027 warns about it.
            return
        if constraint.contains_expressions or constraint.deferrable:
            raise unsupported("a unique constraint that is deferrable or over expressions")
        where = self.condition_filter(model, constraint.condition)
        distinct = constraint.nulls_distinct is not False
        self.create_unique(model, constraint.fields, constraint.name, where, distinct)

    def remove_constraint(self, model, constraint):
        if isinstance(constraint, UniqueConstraint):
            self.drop_index(model, constraint.name)

    def add_index(self, model, index):
        if index.contains_expressions:
            raise unsupported("an index over expressions")
        keys = [(model._meta.get_field(f).column, -1 if order else 1) for f, order in index.fields_orders]
        self.create_index(model, keys, index.name, where=self.condition_filter(model, index.condition))

    def remove_index(self, model, index):
        self.drop_index(model, index.name)

    def rename_index(self, model, old_index, new_index):
        self.remove_index(model, old_index)
        self.add_index(model, new_index)

    def alter_unique_together(self, model, old_unique_together, new_unique_together):
        old = {tuple(fields) for fields in old_unique_together}
        new = {tuple(fields) for fields in new_unique_together}
        for fields in old - new:
            self.drop_unique(model, [model._meta.get_field(name).column for name in fields])
        for fields in new - old:
            self.create_unique(model, fields)

    def bson_type(self, field) -> str:
        return field.rel_db_type(self.connection) if field.is_relation else field.db_type(self.connection)
