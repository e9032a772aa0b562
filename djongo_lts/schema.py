"""The schema editor: creates, renames and drops collections, and updates djongo's `__schema__` to match."""

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import AutoField

from .columns import Columns
from .cursor import Result
from .errors import unsupported
from .indexes import Indexes
from .write_commands import SCHEMA


class DatabaseSchemaEditor(Columns, Indexes, BaseDatabaseSchemaEditor):
    def execute(self, sql, params=()):
        raise unsupported("raw SQL")

    def run(self, description: str, function) -> None:
        """Calls function(collections) as one logged command. For sqlmigrate it only keeps the description."""
        if self.collect_sql:
            self.collected_sql.append(description)
            return

        def operation(collections):
            # Without ENFORCE_SCHEMA, which would reject a collection that the function is about to create.
            return Result([function(type(collections)(collections.database, None))])

        with self.connection.cursor() as cursor:
            cursor.execute(operation)

    def create_model(self, model):
        meta = model._meta
        columns = [field.column for field in meta.local_concrete_fields]
        if any(column.startswith(("$", "__")) or "." in column for column in columns) or "$" in meta.db_table:
            raise unsupported(f"the name of the table {meta.db_table} or of one of its columns")
        schema = {
            "name": meta.db_table,
            "fields": {f.column: self.schema_entry(f) for f in meta.local_concrete_fields},
        }
        for field in meta.local_concrete_fields:
            if field.generated:
                raise unsupported("a generated field")
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
            self.create_unique(model, fields)
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

    def _alter_many_to_many(self, model, old_field, new_field, strict):
        old, new = (field.remote_field.through for field in (old_field, new_field))
        self.alter_db_table(old, old._meta.db_table, new._meta.db_table)
        for source, name in ((old_field.m2m_reverse_field_name(), new_field.m2m_reverse_field_name()),
                             (old_field.m2m_field_name(), new_field.m2m_field_name())):  # fmt: skip
            self.alter_field(new, old._meta.get_field(source), new._meta.get_field(name))
