"""Checks for `manage.py check --deploy`: settings that are fine for development and unsafe in production.

They run beside Django's own checks, and connect to nothing: database and Redis may not be up yet.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
MAX_ACCESS_SECONDS = 3600
MAX_REFRESH_SECONDS = 90 * 24 * 3600
# Keys of examples, tests and makefiles are public.
KNOWN_KEY_PARTS = ("tests-only", "change-me", "changeme", "django-insecure", "example")
MAX_PROXY_ADDRESSES = 2**24
# From OWASP's Password Storage Cheat Sheet, for Argon2id with two passes.
MIN_PASSWORD_MEMORY_KIB = 19 * 1024


@register(Tags.security, deploy=True)
def several_processes(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    if settings.WORKERS == 1:
        return
    if not settings.REDIS_URL:
        yield Error(
            f"WORKERS is {settings.WORKERS} without REDIS_URL: no channel layer connects the processes.",
            hint="Give all processes one REDIS_URL, or set WORKERS=1.",
            id="chat.E001",
        )
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        yield Error(
            f"WORKERS is {settings.WORKERS} and the database is SQLite: only one process can write at a time.",
            hint="Set DATABASE_URL to a MongoDB or PostgreSQL database, or set WORKERS=1.",
            id="chat.E002",
        )


@register(Tags.security, deploy=True)
def keys(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    if any(
        part in key.lower()
        for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
        for part in KNOWN_KEY_PARTS
    ):
        yield Error(
            "SECRET_KEY or one of SECRET_KEY_FALLBACKS is from an example: anybody can make tokens for any user.",
            hint="Make a key: python -c 'import secrets; print(secrets.token_urlsafe(50))'",
            id="chat.E003",
        )


@register(Tags.security, deploy=True)
def origins(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    if "*" in settings.ALLOWED_HOSTS:
        yield Error(
            "ALLOWED_HOSTS allows every host: a forged Host header can put another site into links.",
            hint="List the names that clients use.",
            id="chat.E004",
        )
    for origin in settings.ALLOWED_ORIGINS:
        if "*" in origin:
            yield Error(
                f"ALLOWED_ORIGINS has {origin}: other sites' pages may use a visitor's token.",
                hint="List the origins of your own pages.",
                id="chat.E005",
            )
        elif origin.startswith("http://") and urlsplit(origin).hostname not in LOOPBACK:
            yield Warning(
                f"ALLOWED_ORIGINS has {origin}: an attacker in the network can change that page.",
                hint="Serve it over https.",
                id="chat.W006",
            )


@register(Tags.security, deploy=True)
def token_lifetimes(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    if settings.ACCESS_TOKEN_SECONDS > MAX_ACCESS_SECONDS:
        yield Warning(
            f"Access tokens live {settings.ACCESS_TOKEN_SECONDS} s: a leaked token is valid that long.",
            hint=f"Set ACCESS_TOKEN_SECONDS to at most {MAX_ACCESS_SECONDS}; clients refresh their tokens.",
            id="chat.W007",
        )
    if settings.REFRESH_TOKEN_SECONDS > MAX_REFRESH_SECONDS:
        yield Warning(
            f"Refresh tokens live {settings.REFRESH_TOKEN_SECONDS} s: a lost device stays logged in that long.",
            hint=f"Set REFRESH_TOKEN_SECONDS to at most {MAX_REFRESH_SECONDS}; each use renews the token.",
            id="chat.W008",
        )
    if settings.REFRESH_TOKEN_SECONDS <= settings.ACCESS_TOKEN_SECONDS:
        yield Error(
            "Refresh tokens expire before access tokens: nobody stays logged in.",
            hint="Raise REFRESH_TOKEN_SECONDS, or lower ACCESS_TOKEN_SECONDS.",
            id="chat.E009",
        )


@register(Tags.security, deploy=True)
def limits(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    if not settings.RATE_LIMITS:
        yield Error(
            "RATE_LIMITS is off: passwords can be guessed without limit.",
            hint="Set it to on.",
            id="chat.E010",
        )
    if any(network.num_addresses > MAX_PROXY_ADDRESSES for network in settings.TRUSTED_PROXIES.networks):
        yield Error(
            "TRUSTED_PROXIES has a network so wide that clients may be in it: they can claim any address.",
            hint="List the addresses of the proxies, or set their number.",
            id="chat.E011",
        )


@register(Tags.security, deploy=True)
def password_hashes(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    if settings.PASSWORD_MEMORY_KIB < MIN_PASSWORD_MEMORY_KIB:
        yield Error(
            f"PASSWORD_MEMORY_KIB is {settings.PASSWORD_MEMORY_KIB}: stolen hashes are cheap to guess.",
            hint=f"Set it to at least {MIN_PASSWORD_MEMORY_KIB}; the default is 102400.",
            id="chat.E015",
        )


@register(Tags.security, deploy=True)
def service_passwords(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    services = (
        ("REDIS_URL", settings.REDIS_URL, "chat.E012"),
        ("DATABASE_URL", settings.DATABASE_URL, "chat.E013"),
    )
    for name, url, check_id in services:
        scheme, _, rest = url.partition("://")
        user_info, _, host = rest.partition("/")[0].rpartition("@")
        if (
            not host
            or scheme in ("sqlite", "unix")
            or host.rpartition(":")[0] in LOOPBACK
            or host in LOOPBACK
        ):
            continue
        if not user_info.partition(":")[2]:
            yield Error(
                f"{name} has no password: anybody who reaches that port can read and change everything.",
                hint="Set a password there, and put it into the URL.",
                id=check_id,
            )


@register(Tags.security, deploy=True)
def leases(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    if settings.PRESENCE_LEASE_SECONDS < 2 * settings.PRESENCE_RENEW_SECONDS:
        yield Error(
            "PRESENCE_LEASE_SECONDS is under twice PRESENCE_RENEW_SECONDS: one late renewal shows users offline.",
            hint="The defaults are 20 and 8.",
            id="chat.E014",
        )
