"""What moderators may set. The pages that call these services are tested in `moderation`."""

import pytest

from foundation.errors import Invalid
from foundation.ids import uuid7
from rooms.services.moderators import set_retention


@pytest.mark.once  # refused before the database is asked
@pytest.mark.parametrize("days", [-1, 36_501, 2**31, 10**30])
async def test_retention_when_out_of_bounds_then_is_refused(days: int) -> None:
    with pytest.raises(Invalid, match="0 to 36500 days"):
        await set_retention(room_id=uuid7(), days=days)
