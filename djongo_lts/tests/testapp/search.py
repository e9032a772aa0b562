"""A text index and a text lookup, declared as in a project. The engine recognises them by their attributes."""

from django.db.models import Index, TextField
from django.db.models.lookups import IContains


class TextIndex(Index):
    suffix = "text"
    djongo_type = "text"

    def create_sql(self, model, schema_editor, using="", **kwargs):
        return "SELECT 1"


@TextField.register_lookup
class TextSearch(IContains):
    lookup_name = "text_search"
    djongo_operator = "$text"

    def as_sql(self, compiler, connection):
        return IContains(self.lhs, self.rhs).as_sql(compiler, connection)
