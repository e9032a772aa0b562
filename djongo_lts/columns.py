"""Adds, removes, renames and alters columns for migrations, and updates djongo's `__schema__` to match."""

from django.db import IntegrityError
from django.db.models import Value
from django.db.models.expressions import DatabaseDefault
from django.db.models.fields import NOT_PROVIDED

from .errors import unsupported
from .index_documents import filter_columns, index_columns, renamed_index, retyped_index
from .indexes import LOWEST_VALUES
from .write_commands import SCHEMA

# BSON type of a column -> the $convert target for a change to this type.
CONVERSIONS = {
    "string": "string",
    "int": "long",
    "long": "long",
    "double": "double",
    "decimal": "decimal",
    "bool": "bool",
}
# MongoDB compares numbers of these types with each other.
BSON_NUMBERS = {"int", "long", "double", "decimal"}


class Columns:
    """The part of the schema editor for columns. The editor provides `run(description, function)`."""

    def add_field(self, model, field):
        if field.many_to_many:
            if field.remote_field.through._meta.auto_created:
                self.create_model(field.remote_field.through)
            return
        if field.column is None:
            return
        table, default = model._meta.db_table, self.stored_default(field)

        def add(collections):
            collection = collections[table]
            if default is None and not field.null and collection.find_one({}, {"_id": 1}):
                raise IntegrityError(f"NOT NULL constraint failed: {table}.{field.column}")
            collection.update_many({}, {"$set": {field.column: default}})
            collections[SCHEMA].update_one(
                {"name": table}, {"$set": {f"fields.{field.column}": self.schema_entry(field)}}
            )

        self.run(f"add {table}.{field.column}", add)
        self.index_field(model, field)

    def stored_default(self, field):
        """The stored form of the value that existing rows get."""
        if field.db_default is not NOT_PROVIDED:
            # A plain value is wrapped in Value, as Django's own schema editors find it.
            value = field._db_default_expression
            if isinstance(value, DatabaseDefault):
                value = value.expression
            if not isinstance(value, Value):
                raise unsupported("an expression as db_default")
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
                if name != "_id_" and column in index_columns(index):
                    collection.drop_index(name)
            collection.update_many({}, {"$unset": {column: ""}})
            collections[SCHEMA].update_one({"name": table}, {"$unset": {f"fields.{column}": ""}})

        self.run(f"remove {table}.{column}", remove)

    def _alter_field(
        self, model, old_field, new_field, old_type, new_type, old_db_params, new_db_params, strict=False
    ):
        table, column = model._meta.db_table, new_field.column
        renamed = old_field.column != column
        if old_field.primary_key != new_field.primary_key or (
            renamed and "_id" in (old_field.column, column)
        ):
            raise unsupported("changing the primary key of an existing collection")
        if renamed:
            self.rename_column(table, old_field.column, column)
        if old_type != new_type and {old_type, new_type} != {"int", "long"}:
            self.convert_column(table, column, old_type, new_type)
        if old_field.null and not new_field.null:
            self.fill_nulls(table, new_field)
        if old_type != new_type:
            self.run(
                f"describe {table}.{column}",
                lambda collections: collections[SCHEMA].update_one(
                    {"name": table}, {"$set": {f"fields.{column}": self.schema_entry(new_field)}}
                ),
            )
        self.alter_field_index(model, old_field, new_field)

    def convert_column(self, table, column, old_type, new_type):
        """Converts the values of a column, and the partial filters that leave out its nulls.

        Raises NotSupportedError if another condition of an index names the column.
        """
        converted = CONVERSIONS.get(new_type)
        if converted is None or old_type not in CONVERSIONS:
            raise unsupported(f"changing {table}.{column} from {old_type} to {new_type}")
        update = [{"$set": {column: {"$convert": {"input": f"${column}", "to": converted}}}}]

        def convert(collections):
            collection, changed = collections[table], {}
            if not {old_type, new_type} <= BSON_NUMBERS:
                # A comparison matches values of its own type only, so the index would cover no converted row.
                bounds = [{"$gte": LOWEST_VALUES[bson_type]} for bson_type in (old_type, new_type)]
                for name, index in collection.index_information().items():
                    if column in filter_columns(index):
                        changed[name] = retyped_index(name, index, column, *bounds)
            for name in changed:
                collection.drop_index(name)
            collection.update_many({column: {"$ne": None}}, update)
            for name, (keys, options) in changed.items():
                collection.create_index(keys, name=name, **options)

        self.run(f"convert {table}.{column} to {converted}", convert)

    def fill_nulls(self, table, field):
        column, default = field.column, self.stored_default(field)

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
                name: renamed_index(index, old, new)
                for name, index in collection.index_information().items()
                if old in index_columns(index)
            }
            for name in moved:
                collection.drop_index(name)
            collection.update_many({}, {"$rename": {old: new}})
            for name, (keys, options) in moved.items():
                for suffix in ("_idx", "_uniq"):
                    name = new + suffix if name == old + suffix else name
                collection.create_index(keys, name=name, **options)
            schema.update_one({"name": table}, {"$rename": {f"fields.{old}": f"fields.{new}"}})
            schema.update_one({"name": table, "auto.field_names": old}, {"$set": {"auto.field_names": [new]}})

        self.run(f"rename {table}.{old} to {new}", rename)

    def schema_entry(self, field) -> dict[str, str]:
        return {"type_code": self.bson_type(field)}
