"""The base of models whose rows are written once and never changed or deleted, such as audit records."""

from typing import Any, NoReturn, TypeVar

from django.db import models

M = TypeVar("M", bound=models.Model)

REFUSAL = "this record is written once and can be neither changed nor deleted"


class Immutable(RuntimeError):
    """A row that is written once was to be changed or deleted."""


class ImmutableQuerySet(models.QuerySet[M]):
    def update(self, **kwargs: Any) -> NoReturn:
        raise Immutable(REFUSAL)

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise Immutable(REFUSAL)

    def delete(self) -> NoReturn:
        raise Immutable(REFUSAL)

    def bulk_create(self, objs: Any, *args: Any, update_conflicts: bool = False, **kwargs: Any) -> list[M]:
        """Allows plain inserts only: with `update_conflicts` it would overwrite existing rows."""
        if update_conflicts:
            raise Immutable(REFUSAL)
        return super().bulk_create(objs, *args, **kwargs)


class ImmutableModel(models.Model):
    objects = ImmutableQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise Immutable(REFUSAL)
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise Immutable(REFUSAL)
