"""The types of fields: Django's names for them, in the sets that the engine treats alike.

In: an expression, such as the column of a foreign key. Out: the internal type of its values, such as "UUIDField".
"""

from typing import Any

from django.db.models.fields.json import JSONField

NUMBERS = {
    "AutoField", "BigAutoField", "BigIntegerField", "DecimalField", "FloatField", "IntegerField",
    "PositiveBigIntegerField", "PositiveIntegerField", "PositiveSmallIntegerField", "SmallAutoField",
    "SmallIntegerField",
}  # fmt: skip
INTEGERS = NUMBERS - {"FloatField", "DecimalField"}
TEXTS = {
    "CharField",
    "TextField",
    "SlugField",
    "URLField",
    "FileField",
    "FilePathField",
    "GenericIPAddressField",
}


def target(field: Any) -> Any:
    """The field that defines the type of a column. For a foreign key this is the field it points to."""
    while getattr(field, "target_field", None) is not None:
        field = field.target_field
    return field


def internal_type(node: Any) -> str:
    """The internal type of an expression's values, for example `"CharField"`."""
    return target(node.output_field).get_internal_type()


def is_json_column(node: Any) -> bool:
    return isinstance(target(node.output_field), JSONField)
