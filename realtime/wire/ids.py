"""Id: the type of an id in the data of a client event. It is read as strictly as REST reads ids."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from foundation.ids import read_id

if TYPE_CHECKING:
    Id = UUID
else:

    class _AnyUUID(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, UUID)

    class Id(metaclass=_AnyUUID):
        """Decoded to a UUID. msgspec's own decoder of UUIDs would also take 32 digits without hyphens."""


def decode_id(shape: type, value: object) -> UUID:
    """msgspec's hook for types that it does not know. It reports a ValueError with the path of the field."""
    if shape is not Id:
        raise NotImplementedError(shape)
    return read_id(value)


def id_schema(shape: type) -> dict[str, Any]:
    """msgspec's hook for the schema of such types."""
    if shape is not Id:
        raise NotImplementedError(shape)
    return {"type": "string", "format": "uuid"}
