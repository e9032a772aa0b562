"""URLs of Redis and Sentinel, and the options that the three users of Redis get for them."""

import pytest

from foundation.redis.address import RedisAddress

SENTINEL_URL = (
    "redis+sentinel://app:p%40ss@s1:26379,s2/mymaster/3?sentinel_username=watch&sentinel_password=word"
)


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_parse_when_plain_or_tls_then_all_three_users_get_the_url(scheme: str) -> None:
    url = f"{scheme}://:secret@cache.example:6380/2"
    address = RedisAddress.parse(url)
    assert address.layer_host()["address"] == url
    assert address.cache()["LOCATION"] == url
    options = address.client().connection_pool.connection_kwargs
    assert (options["host"], options["port"], options["db"], options["password"]) == (
        "cache.example", 6380, 2, "secret"
    )  # fmt: skip


def test_parse_when_sentinel_then_all_three_users_get_its_parts() -> None:
    address = RedisAddress.parse(SENTINEL_URL)
    assert address.sentinels == (("s1", 26379), ("s2", 26379))
    layer, cache = address.layer_host(), address.cache()
    assert (layer["master_name"], layer["db"], layer["username"], layer["password"]) == (
        "mymaster", 3, "app", "p@ss"
    )  # fmt: skip
    assert layer["sentinel_kwargs"]["password"] == "word"
    assert cache["LOCATION"] == "redis://mymaster/3"
    assert cache["OPTIONS"]["CONNECTION_POOL_KWARGS"]["password"] == "p@ss"
    assert cache["OPTIONS"]["SENTINEL_KWARGS"]["username"] == "watch"
    assert address.client().connection_pool.service_name == "mymaster"


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost",
        "localhost:6379",
        "redis+cluster://h:1/0",
        "redis+sentinel://:pw@h1:26379",
        "redis+sentinel:///mymaster",
        "redis+sentinel://h1/mymaster/zero",
        "redis+sentinel://h1/mymaster?socket_timeout=1",
    ],
)
def test_parse_when_it_is_no_url_then_the_error_shows_no_password(url: str) -> None:
    with pytest.raises(ValueError, match="REDIS_URL") as refused:
        RedisAddress.parse(url)
    assert "pw" not in str(refused.value)


def test_repr_when_there_are_passwords_then_shows_none() -> None:
    shown = repr(RedisAddress.parse(SENTINEL_URL))
    assert "p@ss" not in shown
    assert "p%40ss" not in shown
    assert "word" not in shown.replace("password", "")
