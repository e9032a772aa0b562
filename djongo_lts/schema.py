"""Migrations on MongoDB: collections, indexes and fields, with djongo's `__schema__` kept in step.
Knows models; must not know how rows are asked for, beyond the filter of a partial index.
"""

import datetime
from decimal import Decimal

from bson import Binary, Decimal128
from django.db import IntegrityError
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import AutoField, UniqueConstraint, Value
from django.db.models.expressions import DatabaseDefault
from django.db.models.fields import NOT_PROVIDED
from django.db.models.sql.query import Query
from pymongo.errors import OperationFailure

from . import search
from .commands import SCHEMA
from .cursor import Result
from .errors import refused
from .filters import Where
from .scope import Scope

# The least value of each type: {"$gte": it} is true of all that is not null, and MongoDB lets an equality
# use an index that is partial by it, which it does not for {"$type": ..}.
LEAST = {
    "binData": Binary(b""),
    "bool": False,
    "date": datetime.datetime.min,
    "decimal": Decimal128(Decimal("-Infinity")),
    "double": float("-inf"),
    "int": float("-inf"),
    "long": float("-inf"),
    "string": "",
}
CONVERSIONS = {
    "string": "string",
    "int": "long",
    "long": "long",
    "double": "double",
    "decimal": "decimal",
    "bool": "bool",
}
PARTIAL_OPERATORS = {"$gt", "$gte", "$lt", "$lte", "$in"}


class DatabaseSchemaEditor(BaseDatabaseSchemaEditor):
    def execute(self, sql, params=()):
        if sql != search.NOTHING:
            raise refused("raw SQL")

    def run(self, description: str, function) -> None:
        if self.collect_sql:
            self.collected_sql.append(description)
            return

        def operation(collections):
            return Result([function(collections)])

        with self.connection.cursor() as cursor:
            cursor.execute(operation)

    # --- collections

    def create_model(self, model):
        meta = model._meta
        columns = [field.column for field in meta.local_concrete_fields]
        if any(column.startswith(("$", "__")) or "." in column for column in columns) or "$" in meta.db_table:
            raise refused(f"the names of {meta.db_table}'s columns")
        schema = {
            "name": meta.db_table,
            "fields": {f.column: self.described(f) for f in meta.local_concrete_fields},
        }
        for field in meta.local_concrete_fields:
            if field.generated:
                raise refused("a generated field")
            if isinstance(field, AutoField):
                schema["auto"] = {"field_names": [field.column], "seq": 0}

        def create(collections):
            collections[SCHEMA].create_index("name", unique=True)
            collections[meta.db_table].database.create_collection(meta.db_table)
            collections[SCHEMA].replace_one({"name": meta.db_table}, schema, upsert=True)

        self.run(f"create {meta.db_table}", create)
        for field in meta.local_concrete_fields:
            self.index_field(model, field)
        for fields in meta.unique_together:
            self.unique(model, fields)
        for constraint in meta.constraints:
            self.add_constraint(model, constraint)
        for index in meta.indexes:
            self.add_index(model, index)
        for field in meta.local_many_to_many:
            if field.remote_field.through._meta.auto_created:
                self.create_model(field.remote_field.through)

    def delete_model(self, model):
        for field in model._meta.local_many_to_many:
            if field.remote_field.through._meta.auto_created:
                self.delete_model(field.remote_field.through)
        table = model._meta.db_table

        def drop(collections):
            collections[table].drop()
            collections[SCHEMA].delete_one({"name": table})

        self.run(f"drop {table}", drop)

    def alter_db_table(self, model, old_db_table, new_db_table):
        if old_db_table == new_db_table:
            return

        def rename(collections):
            collections[old_db_table].rename(new_db_table)
            collections[SCHEMA].update_one({"name": old_db_table}, {"$set": {"name": new_db_table}})

        self.run(f"rename {old_db_table} to {new_db_table}", rename)

    def alter_db_table_comment(self, model, old, new): ...

    def alter_db_tablespace(self, model, old, new): ...

    # --- indexes

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
        """Drops the unique indexes over exactly these columns, whatever their names."""

        def drop(collections):
            collection = collections[model._meta.db_table]
            for name, index in collection.index_information().items():
                if index.get("unique") and [column for column, _ in index["key"]] == columns:
                    collection.drop_index(name)

        self.run(f"drop unique index on {model._meta.db_table} {columns}", drop)

    def index_field(self, model, field):
        column = field.column
        if column == "_id":
            return
        if field.primary_key:
            self.create_index(model, [(column, 1)], "__primary_key__", unique=True)
        elif field.unique:
            self.create_index(model, [(column, 1)], f"{column}_uniq", True, self.not_null([field]))
        elif field.db_index:
            self.create_index(model, [(column, 1)], f"{column}_idx")

    def unique(self, model, names, name=None, where=None, nulls_distinct=True):
        fields = [model._meta.get_field(field) for field in names]
        parts = [part for part in (where, self.not_null(fields) if nulls_distinct else None) if part]
        where = {"$and": parts} if len(parts) > 1 else parts[0] if parts else None
        columns = [field.column for field in fields]
        self.create_index(model, [(c, 1) for c in columns], name or "_".join([*columns, "uniq"]), True, where)

    def not_null(self, fields) -> dict | None:
        """Leaves rows with a null out of a unique index, as SQL does."""
        where = {}
        for field in fields:
            if field.null:
                if self.type_of(field) not in LEAST:
                    raise refused(f"a unique index on a nullable {field.get_internal_type()}")
                where[field.column] = {"$gte": LEAST[self.type_of(field)]}
        return where or None

    def condition(self, model, q) -> dict | None:
        """The filter of a partial index; MongoDB takes few operators there."""
        if q is None:
            return None
        query = Query(model, alias_cols=True)
        compiler = query.get_compiler(connection=self.connection)
        built = query.build_where(q)
        return self.partial(model, Where(Scope(compiler, query.get_initial_alias())).filter(built))

    def partial(self, model, where) -> dict:
        found = {}
        for name, value in (where or {"$none": None}).items():
            if name == "$and":
                found[name] = [self.partial(model, part) for part in value]
            elif isinstance(value, dict) and value.get("$ne", value) is None:  # IS NOT NULL
                field = next(f for f in model._meta.local_concrete_fields if f.column == name)
                others = {operator: bound for operator, bound in value.items() if operator != "$ne"}
                found.update(self.partial(model, {name: others or {"$gte": LEAST[self.type_of(field)]}}))
            elif name.startswith("$") or (isinstance(value, dict) and not value.keys() <= PARTIAL_OPERATORS):
                raise refused(f"an index on the condition {where}")
            else:
                found[name] = value
        return found

    def add_constraint(self, model, constraint):
        if not isinstance(constraint, UniqueConstraint):
            return  # a CHECK, which Django warns of (models.W027)
        if constraint.contains_expressions or constraint.deferrable:
            raise refused("a deferrable or computed unique constraint")
        where = self.condition(model, constraint.condition)
        distinct = constraint.nulls_distinct is not False
        self.unique(model, constraint.fields, constraint.name, where, distinct)

    def remove_constraint(self, model, constraint):
        if isinstance(constraint, UniqueConstraint):
            self.drop_index(model, constraint.name)

    def add_index(self, model, index):
        if index.contains_expressions:
            raise refused("an index over expressions")
        keys = [(model._meta.get_field(f).column, -1 if order else 1) for f, order in index.fields_orders]
        if not isinstance(index, search.TextIndex):
            self.create_index(model, keys, index.name, where=self.condition(model, index.condition))
            return
        search.known.clear()
        keys = [(column, "text") for column, _ in keys]
        try:
            self.create_index(model, keys, index.name, default_language="none")
        except Exception as error:
            if not isinstance(error.__cause__, OperationFailure):
                raise
            search.logger.warning("no text index %s on %s: %s", index.name, model._meta.db_table, error)

    def remove_index(self, model, index):
        if isinstance(index, search.TextIndex):
            search.known.clear()
            if index.name not in self.connection.indexes(model._meta.db_table):
                return
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
            self.unique(model, fields)

    def alter_index_together(self, model, old_index_together, new_index_together): ...

    # --- fields

    def add_field(self, model, field):
        if field.many_to_many:
            if field.remote_field.through._meta.auto_created:
                self.create_model(field.remote_field.through)
            return
        if field.column is None:
            return
        table, default = model._meta.db_table, self.default(field)

        def add(collections):
            collection = collections[table]
            if default is None and not field.null and collection.find_one({}, {"_id": 1}):
                raise IntegrityError(f"NOT NULL constraint failed: {table}.{field.column}")
            collection.update_many({}, {"$set": {field.column: default}})
            collections[SCHEMA].update_one(
                {"name": table}, {"$set": {f"fields.{field.column}": self.described(field)}}
            )

        self.run(f"add {table}.{field.column}", add)
        self.index_field(model, field)

    def default(self, field):
        """The value existing rows get, as it is stored."""
        if field.db_default is not NOT_PROVIDED:
            value = (
                field.db_default.expression
                if isinstance(field.db_default, DatabaseDefault)
                else field.db_default
            )
            if not isinstance(value, Value):
                raise refused("an expression as db_default")
            return field.get_db_prep_save(value.value, self.connection)
        return self.effective_default(field)

    def remove_field(self, model, field):
        if field.many_to_many:
            if field.remote_field.through._meta.auto_created:
                self.delete_model(field.remote_field.through)
            return
        if field.column is None:
            return
        table, column = model._meta.db_table, field.column

        def remove(collections):
            collection = collections[table]
            for name, index in collection.index_information().items():
                if name != "_id_" and any(key == column for key, _ in index["key"]):
                    collection.drop_index(name)
            collection.update_many({}, {"$unset": {column: ""}})
            collections[SCHEMA].update_one({"name": table}, {"$unset": {f"fields.{column}": ""}})

        self.run(f"remove {table}.{column}", remove)

    def _alter_field(
        self, model, old_field, new_field, old_type, new_type, old_db_params, new_db_params, strict=False
    ):
        table, column = model._meta.db_table, new_field.column
        if old_field.primary_key != new_field.primary_key or "_id" in {old_field.column, column} - {
            column if old_field.column == column else None
        }:
            raise refused("another primary key for an existing collection")
        if old_field.column != column:
            self.rename_column(table, old_field.column, column)
        converted = CONVERSIONS.get(new_type)
        if old_type != new_type and {old_type, new_type} != {"int", "long"}:
            if converted is None or old_type not in CONVERSIONS:
                raise refused(f"changing {table}.{column} from {old_type} to {new_type}")
            update = [{"$set": {column: {"$convert": {"input": f"${column}", "to": converted}}}}]
            self.run(
                f"convert {table}.{column} to {converted}",
                lambda collections: collections[table].update_many({column: {"$ne": None}}, update),
            )
        if old_field.null and not new_field.null:
            self.fill_nulls(table, new_field)
        if old_type != new_type:
            self.run(
                f"describe {table}.{column}",
                lambda collections: collections[SCHEMA].update_one(
                    {"name": table}, {"$set": {f"fields.{column}": self.described(new_field)}}
                ),
            )
        self.alter_field_index(model, old_field, new_field)

    def fill_nulls(self, table, field):
        column, default = field.column, self.default(field)

        def fill(collections):
            if default is None and collections[table].find_one({column: None}, {"_id": 1}):
                raise IntegrityError(f"NOT NULL constraint failed: {table}.{column}")
            collections[table].update_many({column: None}, {"$set": {column: default}})

        self.run(f"fill {table}.{column}", fill)

    def alter_field_index(self, model, old, new):
        def kind(field):
            return "unique" if field.unique else "index" if field.db_index else None

        if new.primary_key or (kind(old), old.unique and old.null) == (kind(new), new.unique and new.null):
            return
        if old.unique:
            self.drop_unique(model, [new.column])
        elif old.db_index:
            name = f"{old.column}_idx"
            if name in self.connection.indexes(model._meta.db_table):
                self.drop_index(model, name)
        self.index_field(model, new)

    def rename_column(self, table, old, new):
        def rename(collections):
            collection, schema = collections[table], collections[SCHEMA]
            moved = {
                name: index
                for name, index in collection.index_information().items()
                if any(column == old for column, _ in index["key"])
            }
            for name in moved:
                collection.drop_index(name)
            collection.update_many({}, {"$rename": {old: new}})
            for name, index in moved.items():
                options = {k: index[k] for k in ("unique", "partialFilterExpression") if k in index}
                if old in options.get("partialFilterExpression", {}):
                    where = options["partialFilterExpression"]
                    options["partialFilterExpression"] = {new if k == old else k: v for k, v in where.items()}
                keys = [(new if column == old else column, order) for column, order in index["key"]]
                for suffix in ("_idx", "_uniq"):
                    name = new + suffix if name == old + suffix else name
                collection.create_index(keys, name=name, **options)
            schema.update_one({"name": table}, {"$rename": {f"fields.{old}": f"fields.{new}"}})
            schema.update_one({"name": table, "auto.field_names": old}, {"$set": {"auto.field_names": [new]}})

        self.run(f"rename {table}.{old} to {new}", rename)

    def _alter_many_to_many(self, model, old_field, new_field, strict):
        old, new = (field.remote_field.through for field in (old_field, new_field))
        self.alter_db_table(old, old._meta.db_table, new._meta.db_table)
        for source, name in ((old_field.m2m_reverse_field_name(), new_field.m2m_reverse_field_name()),
                             (old_field.m2m_field_name(), new_field.m2m_field_name())):  # fmt: skip
            self.alter_field(new, old._meta.get_field(source), new._meta.get_field(name))

    def type_of(self, field) -> str:
        return field.rel_db_type(self.connection) if field.is_relation else field.db_type(self.connection)

    def described(self, field) -> dict[str, str]:
        return {"type_code": self.type_of(field)}
