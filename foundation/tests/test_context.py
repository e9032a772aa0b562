"""The context of a request, as log records show it."""

import asyncio
import contextvars

import pytest

from foundation import context

pytestmark = pytest.mark.once  # variables


def test_log_fields_when_some_are_set_then_has_them_by_their_log_names() -> None:
    def set_two() -> dict[str, str]:
        assert context.log_fields() == {}
        context.request_id.set("r1")
        context.client_ip.set("192.0.2.1")
        return context.log_fields()

    # An empty context: requests of other tests in this process have set the variables of the shared one.
    assert contextvars.Context().run(set_two) == {"requestId": "r1", "ip": "192.0.2.1"}


async def test_log_fields_when_two_tasks_set_them_then_each_sees_its_own() -> None:
    async def seen(user_id: str) -> dict[str, str]:
        context.user_id.set(user_id)
        await asyncio.sleep(0)
        return context.log_fields()

    fields = await asyncio.gather(seen("ann"), seen("ben"))
    assert [one["userId"] for one in fields] == ["ann", "ben"]
