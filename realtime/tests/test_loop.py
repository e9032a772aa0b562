"""The process's loop: the context that shared tasks run in."""

from realtime import context, loop


async def test_spawn_when_a_request_starts_the_task_then_its_records_name_no_request() -> None:
    async def work() -> dict[str, str]:
        return context.log_fields()

    context.request_id.set("of-a-request")
    context.user_id.set("of-a-user")
    assert await loop.spawn(work(), name="shared") == {}
    assert context.request_id.get() == "of-a-request"
