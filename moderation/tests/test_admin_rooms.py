"""The page of a room in the admin."""

import pytest

from moderation.admin.rooms import RoomAdmin
from rooms.models import Room

# Columns that tell a moderator nothing.
NOT_SHOWN = {"direct_key", "last_message_id", "search_name"}


@pytest.mark.once  # nothing here uses the database
def test_column_when_new_then_moderators_see_it() -> None:
    columns = {field.name for field in Room._meta.concrete_fields}
    assert columns - set(RoomAdmin.fields) == NOT_SHOWN, "add it to RoomAdmin.fields, or to NOT_SHOWN"
