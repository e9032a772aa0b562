"""All settings, each from the environment through a typed reader; a missing secret fails at the start.

docs/configuration.md lists the variables. Code outside this file reads settings only in the accessors
(`get_hub`, `get_writer`, `get_redis`, ..) and in Django's own places.
"""

import secrets
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import dj_database_url
from csp.constants import NONE, SELF, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured
from environs import Env, EnvError, validate

from foundation.limits.rates import Rate
from foundation.proxies import TrustedProxies
from foundation.redis.address import RedisAddress

from .static_headers import add_security_headers

T = TypeVar("T")

env = Env()
whole = partial(env.int, validate=validate.Range(min=1))  # counts, sizes and durations: none of them may be 0
seconds = partial(env.float, validate=validate.Range(min=0, min_inclusive=False))


def parsed(name: str, default: str, parse: Callable[[str], T]) -> T:
    """The variable as `parse` reads it; what it raises as a ValueError stops the start, and names the variable."""
    try:
        return parse(env.str(name, default))
    except ValueError as error:
        raise EnvError(f'Environment variable "{name}" invalid: {error}') from error


def rate(name: str, default: str) -> Rate:
    return parsed(name, default, Rate.parse)


BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.str("DATA_DIR", str(BASE_DIR / "data")))
DATA_DIR.mkdir(parents=True, exist_ok=True)

DEBUG = env.bool("DEBUG", False)
HOST = env.str("HOST", "127.0.0.1")
PORT = env.int("PORT", 8000, validate=validate.Range(min=1, max=65535))
WORKERS = whole("WORKERS", 1)
PING_SECONDS = seconds("PING_SECONDS", 15.0)
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]"])
ALLOWED_ORIGINS: list[str] = env.list("ALLOWED_ORIGINS", [])
TRUSTED_PROXIES = parsed("TRUSTED_PROXIES", "", TrustedProxies.parse)
CSRF_TRUSTED_ORIGINS = [origin for origin in ALLOWED_ORIGINS if "://" in origin and "*" not in origin]


def _secret_key() -> str:
    """SECRET_KEY, or in DEBUG one that is made once and kept in DATA_DIR."""
    if key := env.str("SECRET_KEY", ""):
        return key
    if not DEBUG:
        raise ImproperlyConfigured(
            "SECRET_KEY is not set. Give one of at least 50 random characters; or, for work on this machine only, "
            "set DEBUG=on, and one is made and kept in DATA_DIR (`make run` does so)."
        )
    path = DATA_DIR / "secret_key"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(50))
    return path.read_text()


SECRET_KEY = _secret_key()
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", [])

# --- what the contract calls limits -------------------------------------------------------------------------

RATE_LIMITS = env.bool("RATE_LIMITS", True)
LIMIT_MESSAGES_USER = rate("LIMIT_MESSAGES_USER", "10/5s")
LIMIT_MESSAGES_ROOM = rate("LIMIT_MESSAGES_ROOM", "50/5s")
LIMIT_FRAMES = rate("LIMIT_FRAMES", "50/1s")
LIMIT_REST_ANON = rate("LIMIT_REST_ANON", "100/15m")
LIMIT_REST_USER = rate("LIMIT_REST_USER", "1000/15m")
LIMIT_LOGIN_ACCOUNT = rate("LIMIT_LOGIN_ACCOUNT", "5/1m")
LIMIT_LOGIN_IP = rate("LIMIT_LOGIN_IP", "20/1m")
LIMIT_SIGNUP_IP = rate("LIMIT_SIGNUP_IP", "10/1h")
MAX_CONTENT_CHARS = whole("MAX_CONTENT_CHARS", 4000)
MAX_META_BYTES = whole("MAX_META_BYTES", 4096)
MAX_FRAME_BYTES = whole("MAX_FRAME_BYTES", 65536)
MAX_CONNECTIONS_USER = whole("MAX_CONNECTIONS_USER", 10)
MAX_ROOM_MEMBERS = whole("MAX_ROOM_MEMBERS", 1000)
PRESENCE_ROOM_LIMIT = whole("PRESENCE_ROOM_LIMIT", 100)
PRESENCE_LEASE_SECONDS = seconds("PRESENCE_LEASE_SECONDS", 20.0)
PRESENCE_RENEW_SECONDS = seconds("PRESENCE_RENEW_SECONDS", 8.0)
PRESENCE_GRACE_SECONDS = seconds("PRESENCE_GRACE_SECONDS", 3.0)

# --- retention ----------------------------------------------------------------------------------------------

# Where `manage.py apply_retention` archives to, and after how many days in rooms that say nothing; 0: never.
ARCHIVE_DIR = env.str("ARCHIVE_DIR", str(DATA_DIR / "archive"))
RETENTION_DAYS = env.int("RETENTION_DAYS", 0)

# --- applications -------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    # First, so that `manage.py runserver` serves sockets too. Others would load Twisted for nothing: 16 MB each.
    *(["daphne"] if "runserver" in sys.argv else []),
    "servestatic.runserver_nostatic",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "corsheaders",
    "realtime",
    "api",
    "accounts",
    "rooms",
    "messaging",
    "presence",
    "moderation",
    "operations",
    "console",
    "chatproject.apps.ChatProjectConfig",
]

MIDDLEWARE = [
    # The asynchronous ones stand first; behind them the whole chain runs in one thread, with one hop.
    "chatproject.middleware.request_log",
    "corsheaders.middleware.CorsMiddleware",  # before whatever may refuse: a page has to read its errors too
    "servestatic.middleware.ServeStaticMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "chatproject.urls"
ASGI_APPLICATION = "chatproject.asgi.application"
APPEND_SLASH = True  # for the admin; the API's paths have no trailing slash
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
STATIC_URL = "/static/"
STATICFILES_DIRS = [("chat_client", BASE_DIR / "clients" / "js")]  # the console uses the reference client
STATIC_ROOT = BASE_DIR / "staticfiles"
SERVESTATIC_USE_FINDERS = True  # no collectstatic needed to begin with; the image collects all the same
SERVESTATIC_AUTOREFRESH = False
SERVESTATIC_ADD_HEADERS_FUNCTION = add_security_headers

# --- database -----------------------------------------------------------------------------------------------

DB_THREADS = whole("DB_THREADS", 8)


def _database(database_url: str) -> dict[str, Any]:
    """SQLite in DATA_DIR by default; mongodb:// by djongo_lts, anything else as dj-database-url has it."""
    if database_url.startswith("mongodb"):
        from djongo_lts import url

        return url.parse(database_url)
    database: dict[str, Any] = {
        **dj_database_url.parse(database_url or f"sqlite:///{DATA_DIR / 'chat.sqlite3'}")
    }
    if database["ENGINE"] == "django.db.backends.sqlite3":
        database["OPTIONS"] = {
            "timeout": 10,
            # Take the write lock at BEGIN: two transactions that read first cannot then both upgrade.
            "transaction_mode": "IMMEDIATE",
            # FULL: what was acknowledged survives a power cut; group commit pays for it once a batch.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16000;",
        }
    return database


DATABASE_URL = env.str("DATABASE_URL", "")
DATABASES = {"default": parsed("DATABASE_URL", "", _database)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Redis: fan-out, cache, presence, limits ----------------------------------------------------------------

REDIS_URL = env.str("REDIS_URL", "")
if REDIS_URL:
    redis_address = parsed("REDIS_URL", "", RedisAddress.parse)
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [redis_address.layer_host()], "prefix": "chat"},
        }
    }
    CACHES = {"default": redis_address.cache()}
else:
    CHANNEL_LAYERS = {
        "default": {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": 100_000}}
    }
    CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": "redis://in-process/0",
            "OPTIONS": {"CONNECTION_POOL_CLASS": "foundation.redis.client.InProcessConnectionPool"},
        }
    }

# --- accounts -----------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
# What a hash of a password takes, and so what each guess costs whoever has stolen them; Django's own default.
PASSWORD_MEMORY_KIB = env.int("PASSWORD_MEMORY_KIB", 102_400, validate=validate.Range(min=64))
PASSWORD_HASHERS = [
    "accounts.hashers.Argon2Hasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
ACCESS_TOKEN_SECONDS = whole("ACCESS_TOKEN_SECONDS", 15 * 60)
REFRESH_TOKEN_SECONDS = whole("REFRESH_TOKEN_SECONDS", 30 * 24 * 3600)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", False)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]  # asked for from inside, past the proxy
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", 0)
# Whether HSTS holds for other hosts of the domain too is not for this server to say.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
CSRF_FAILURE_VIEW = "api.exceptions.csrf_failed"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF, UNSAFE_INLINE],  # Swagger UI and the browsable API style elements in place
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
# Pages of ALLOWED_ORIGINS may use REST, with tokens and never with cookies; cors.py reads that list.
CORS_URLS_REGEX = r"^/api/"
CORS_EXPOSE_HEADERS = ["Retry-After", "WWW-Authenticate", "X-Request-ID"]
CONSOLE = env.bool("CONSOLE", True)  # the page for trying the server by hand
SOCKETIO = env.bool("SOCKETIO", True)  # /socket.io/ beside /ws/chat/

# --- REST ---------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.SessionJWTAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["api.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "rest_framework.renderers.BrowsableAPIRenderer",
    ],
    "DEFAULT_THROTTLE_CLASSES": ["api.throttling.RestThrottle"],
    "DEFAULT_PAGINATION_CLASS": "api.pagination.CursorPage",
    "DEFAULT_SCHEMA_CLASS": "api.schema.ChatAutoSchema",
    "EXCEPTION_HANDLER": "api.exceptions.answer",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Chat backend",
    "VERSION": "1.0.0",
    "DESCRIPTION": "Rooms, messages, receipts and presence. The socket at /ws/chat/ is described at "
    "[/docs/events](/docs/events), and every error code at [/docs/errors](/docs/errors).",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    # No hook for enums, which stay where they stand: ours come from structs, not from choice fields.
    "POSTPROCESSING_HOOKS": ["chatproject.api_examples.add_examples"],
}

# --- traces -------------------------------------------------------------------------------------------------

# Read here to know whether to trace at all; the exporter reads it, and the others of its kind, by itself.
OTEL_EXPORTER_OTLP_ENDPOINT = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", "")
OTEL_SERVICE_NAME = env.str("OTEL_SERVICE_NAME", "chat")

# --- logs ---------------------------------------------------------------------------------------------------

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_LEVEL = env.str(
    "LOG_LEVEL", "INFO", validate=lambda level: validate.OneOf(LOG_LEVELS)(level.upper())
).upper()
# Where the log is kept besides the console: in files of LOG_FILE_BYTES, of which LOG_FILE_COUNT older ones stay.
LOG_DIR = env.str("LOG_DIR", "")
LOG_FILE_BYTES = whole("LOG_FILE_BYTES", 50 * 1024 * 1024)
LOG_FILE_COUNT = whole("LOG_FILE_COUNT", 10)


def _log_handlers() -> dict[str, Any]:
    handlers: dict[str, Any] = {"console": {"class": "logging.StreamHandler", "formatter": "json"}}
    if LOG_DIR:
        Path(LOG_DIR).mkdir(parents=True, exist_ok=True)
        handlers["file"] = {
            # Several processes write to the one file and agree, by a lock beside it, on who begins the next.
            "class": "concurrent_log_handler.ConcurrentRotatingFileHandler",
            "filename": str(Path(LOG_DIR) / "chat.log"),
            "maxBytes": LOG_FILE_BYTES,
            "backupCount": LOG_FILE_COUNT,
            "formatter": "json",
        }
    return handlers


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "chatproject.logs.JsonFormatter"}},
    "filters": {"tracebacks": {"()": "chatproject.logs.OnlyTracebacks"}},
    "handlers": _log_handlers(),
    "root": {"handlers": list(_log_handlers()), "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        # request_log writes the one access record, with more in it; only tracebacks are news.
        "django.request": {"level": "ERROR", "filters": ["tracebacks"]},
        "django.server": {"level": "CRITICAL", "propagate": False},
        # At DEBUG it writes every header and frame: tokens, and what people say to each other.
        "uvicorn.error": {"level": "INFO" if LOG_LEVEL == "DEBUG" else LOG_LEVEL},
        # The same of every command to MongoDB.
        "pymongo": {"level": "INFO" if LOG_LEVEL == "DEBUG" else LOG_LEVEL},
        "uvicorn.access": {"level": "CRITICAL", "propagate": False},
        # At INFO they write every packet; above, what peers sent amiss. Our own handlers log by themselves.
        "engineio.server": {"level": "CRITICAL"},
        "socketio.server": {"level": "CRITICAL"},
        "daphne": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},  # of the reference client in demo and chat
    },
}
