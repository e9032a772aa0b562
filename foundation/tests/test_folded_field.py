"""FoldedField: which fields are saved with their source, and what a migration records. No query is made."""

import pytest
from django.db import models

from foundation.folded_field import FoldedField, with_folded

pytestmark = pytest.mark.once


class Place(models.Model):
    name = models.CharField(max_length=9)
    search_name = FoldedField(source="name")

    class Meta:
        app_label = "tests_of_foundation"
        managed = False

    def __str__(self) -> str:
        return self.name


def test_folded_field_when_a_row_is_saved_then_follows_its_source() -> None:
    place = Place(name="Zürich")
    assert Place._meta.get_field("search_name").pre_save(place, add=True) == place.search_name == "zurich"


def test_folded_field_when_updated_by_hand_then_folds_the_value() -> None:
    assert Place._meta.get_field("search_name").get_prep_value("Zürich") == "zurich"


def test_fields_when_the_source_is_saved_then_the_folded_is_too() -> None:
    assert with_folded(Place, ["id", "name"]) == ["id", "name", "search_name"]
    assert with_folded(Place, ["id"]) == ["id"]


def test_folded_field_when_copied_then_has_the_same_options() -> None:
    field = Place._meta.get_field("search_name")
    assert field.clone().deconstruct()[1:] == field.deconstruct()[1:]
