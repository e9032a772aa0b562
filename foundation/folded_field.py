"""FoldedField: a column with the folded text of another one, for searches."""

from collections.abc import Callable, Iterator
from typing import Any

from django.db import migrations, models, transaction

from .folding import fold

# So few that no other writer waits long for a transaction of them, and so many that a commit costs each little.
PAGE = 200


class FoldedField(models.TextField):
    """The folded text of the column `source` of the same row.

    It is set when a row is saved or created, also in bulk. `update()` and `save(update_fields=..)` of the source
    have to name it too, and the value given is folded. A search folds its term: `contains` takes it as it is.
    """

    def __init__(self, *, source: str, **options: Any) -> None:
        self.source = source
        # The default of the database is for processes of a release before the column, which go on writing.
        defaults: dict[str, Any] = {"default": "", "db_default": "", "editable": False}
        super().__init__(**(defaults | options))

    def deconstruct(self) -> Any:
        name, path, arguments, options = super().deconstruct()
        return name, path, arguments, options | {"source": self.source}

    def pre_save(self, row: models.Model, add: bool) -> str:
        setattr(row, self.attname, fold(getattr(row, self.source)))
        return str(getattr(row, self.attname))

    def get_prep_value(self, value: Any) -> Any:
        return fold(value) if isinstance(value, str) else super().get_prep_value(value)


def with_folded(model: type[models.Model], names: list[str]) -> list[str]:
    """The names of fields that change together with these: they, and the folded fields that follow them."""
    folded = [field for field in model._meta.fields if isinstance(field, FoldedField)]
    return names + [field.name for field in folded if field.source in names]


def stale(
    rows: models.QuerySet[Any],
    *,
    source: str,
    column: str,
    key: Callable[[str], str] = fold,
    repair: bool = False,
) -> Iterator[Any]:
    """Yield the primary keys of the rows whose `column` is not the folded text of `source`.

    With `repair` they are corrected first, with one commit for a page; a row that changes meanwhile stays as it is.
    """
    pages = rows.order_by("pk").values_list("pk", source, column)
    page = list(pages[:PAGE])
    while page:
        found = {pk: text for pk, text, folded in page if folded != key(text)}
        if repair and found:
            with transaction.atomic(using=rows.db):
                for pk, text in found.items():
                    rows.filter(pk=pk, **{source: text}).update(**{column: key(text)})
        yield from found
        page = list(pages.filter(pk__gt=page[-1][0])[:PAGE])


def refold(app: str, model: str, **columns: Any) -> migrations.RunPython:
    """The operation of a migration that folds rows from before a column. `columns` are those of `stale`.

    Its migration is not atomic: each page is a commit, so that a large table is never locked for long.
    """

    def fold_rows(apps: Any, schema_editor: Any) -> None:
        rows = apps.get_model(app, model).objects.using(schema_editor.connection.alias)
        for _ in stale(rows.all(), **columns, repair=True):
            pass

    return migrations.RunPython(fold_rows, migrations.RunPython.noop, elidable=True)
