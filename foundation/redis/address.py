"""The address of Redis, and the options that the channel layer, the cache and our own client get for it.

Django's settings are made from this, so it does not read them.
"""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import redis.asyncio
from redis.asyncio.client import Redis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.retry import Retry

CONNECT_TIMEOUT_SECONDS = 2.0
ANSWER_TIMEOUT_SECONDS = 2.0
HEALTH_CHECK_SECONDS = 15
SENTINEL_PORT = 26379
# Its default unpickles: who can write to Redis could run code here.
CACHE_SERIALIZER = "django_redis.serializers.json.JSONSerializer"
PLAIN = ("redis", "rediss", "unix")
SENTINEL = ("redis+sentinel", "rediss+sentinel")
FORMS = "redis://, rediss:// (TLS), unix://, redis+sentinel:// and rediss+sentinel://host:26379,host:26379/service/0"


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """One Redis with its URL, or the `service` of a Sentinel with the addresses of its `sentinels`.

    The repr shows no password.
    """

    url: str = field(repr=False)
    sentinels: tuple[tuple[str, int], ...] = ()
    service: str = ""
    login: dict[str, Any] = field(default_factory=dict, repr=False)
    sentinel_login: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, url: str) -> "RedisAddress":
        """Read a URL. Raises ValueError. For Sentinel, the password before the `@` is that of Redis:

        `redis+sentinel://[user]:[password]@host:26379,host:26379/service/db`. The password of the sentinels follows
        a `?`: `sentinel_username=`, `sentinel_password=`.
        """
        scheme = url.partition("://")[0]
        if scheme in PLAIN:
            return cls(url)
        if scheme not in SENTINEL:
            hint = " Redis Cluster is not supported, see docs/operations.md." if "cluster" in scheme else ""
            raise ValueError(f"REDIS_URL begins with {scheme}://; known are {FORMS}.{hint}")
        parts = urlsplit(url)
        user_info, _, hosts = parts.netloc.rpartition("@")
        user, _, password = map(unquote, user_info.partition(":"))
        service, _, db = parts.path.lstrip("/").partition("/")
        if not hosts or not service:
            raise ValueError(
                "REDIS_URL for Sentinel is redis+sentinel://:password@host:26379,host:26379/service/0"
            )
        login: dict[str, Any] = {"db": _database(db)}
        login |= {"username": user} if user else {}
        login |= {"password": password} if password else {}
        login |= {"ssl": True} if scheme.startswith("rediss") else {}
        query = dict(parse_qsl(parts.query))
        if unknown := query.keys() - {"sentinel_username", "sentinel_password"}:
            raise ValueError(f"REDIS_URL for Sentinel has unknown options: {', '.join(sorted(unknown))}")
        sentinel_login = {name.removeprefix("sentinel_"): value for name, value in query.items()}
        return cls(url, tuple(map(_host_and_port, hosts.split(","))), service, login, sentinel_login)

    def client(self) -> Redis:
        """Our own client. It tries once more if a connection is stale; callers decide about further tries."""
        options = {**_timeouts(AsyncRetry), "health_check_interval": HEALTH_CHECK_SECONDS}
        if not self.sentinels:
            return redis.asyncio.from_url(self.url, **options)
        sentinel = Sentinel(self.sentinels, sentinel_kwargs=self._sentinel_options(AsyncRetry))
        return sentinel.master_for(self.service, **self.login, **options)

    def layer_host(self) -> dict[str, Any]:
        """The entry of `hosts` for channels_redis. Health checks let its subscription notice a dead peer."""
        options = {**_timeouts(AsyncRetry), "health_check_interval": HEALTH_CHECK_SECONDS}
        if not self.sentinels:
            return {"address": self.url, **options}
        sentinel_kwargs = self._sentinel_options(AsyncRetry)
        names = {"master_name": self.service, "sentinels": self.sentinels, "sentinel_kwargs": sentinel_kwargs}
        return {**names, **self.login, **options}

    def cache(self) -> dict[str, Any]:
        """The entry of CACHES. Counts are read from the primary, because replicas may be behind."""
        options: dict[str, Any] = {
            "SERIALIZER": CACHE_SERIALIZER,
            "SOCKET_CONNECT_TIMEOUT": CONNECT_TIMEOUT_SECONDS,
            "SOCKET_TIMEOUT": ANSWER_TIMEOUT_SECONDS,
            "CONNECTION_POOL_KWARGS": {"retry": Retry(NoBackoff(), 1)},
        }
        location = self.url
        if self.sentinels:
            location = f"redis://{self.service}/{self.login['db']}"
            login = {name: value for name, value in self.login.items() if name != "db"}
            options["CONNECTION_FACTORY"] = "django_redis.pool.SentinelConnectionFactory"
            options["CONNECTION_POOL_KWARGS"] |= login
            options["SENTINELS"] = list(self.sentinels)
            options["SENTINEL_KWARGS"] = self._sentinel_options(Retry)
        return {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": location,
            "KEY_PREFIX": "chat",
            "OPTIONS": options,
        }

    def _sentinel_options(self, retry: type[Any]) -> dict[str, Any]:
        return {**self.sentinel_login, **_timeouts(retry)}


def _timeouts(retry: type[Any]) -> dict[str, Any]:
    # redis-py tries ten times by default: a paused Redis would block each caller for half a minute.
    return {
        "socket_connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "socket_timeout": ANSWER_TIMEOUT_SECONDS,
        "retry": retry(NoBackoff(), 1),
    }


def _host_and_port(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    return parts.hostname or "", parts.port or SENTINEL_PORT


def _database(text: str) -> int:
    if text and not text.isdecimal():
        raise ValueError(
            f"REDIS_URL for Sentinel ends with the number of the database, and {text!r} is no number"
        )
    return int(text or 0)
