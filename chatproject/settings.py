"""All settings. The first part reads the environment, the second part is Django's and the libraries'.

The call that reads a variable declares it: its name, reader, default and meaning. `manage.py write_docs` writes
docs/configuration.md from these declarations. Code outside this file reads settings only in the accessors
(`get_hub`, `get_writer`, `get_redis`, ..) and in Django's own places.
"""

import os
import sys
from pathlib import Path
from typing import Any

import dj_database_url
from csp.constants import NONE, SELF, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured

from foundation.durations import MAX_DAYS
from foundation.limits.named import LIMITS
from foundation.proxies import TrustedProxies
from foundation.redis.address import CACHE_SERIALIZER, RedisAddress

from .address import Address
from .environment import Environment, empty_or_long
from .secret_key import kept_key
from .static_headers import add_security_headers

# Whatever a process makes is for its own user: the database, logs, archives, backups. These commands write files of
# the project, which others read: the image, its web server.
if not {"collectstatic", "makemigrations", "squashmigrations", "write_docs"} & set(sys.argv[1:2]):
    os.umask(0o077)

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()

# === from the environment, in the order of docs/configuration.md ============================================

env.section("Server")
SECRET_KEY = env.text(
    "SECRET_KEY",
    "",
    "signs tokens and cookies; at least 50 random characters, the same for all processes",
    shown="none; created in `DATA_DIR` with `DEBUG=on`",
)
SECRET_KEY_FALLBACKS = env.texts(
    "SECRET_KEY_FALLBACKS",
    [],
    "older keys that are still accepted, so that keys can be changed without logging anybody out "
    "([decision 10](decisions/0010-signing-keys-of-two-halves.md))",
)
DEBUG = env.switch("DEBUG", False, "for development only: shows code and settings on errors")
HOST = env.text("HOST", "127.0.0.1", "the address the server listens on")
PORT = env.whole("PORT", 8000, "the port the server listens on", most=65535)
OPERATIONS_ADDRESS = env.parsed(
    "OPERATIONS_ADDRESS",
    "",
    "another address of `manage.py serve`, such as `10.0.0.5:9100`: only there are `/readyz`, `/metrics`, `/docs` "
    "and `/api/schema`, for any Host and without https. `/healthz` is on both",
    shown="empty: on the port of the server",
    parse=Address.parse,
)
WORKERS = env.whole(
    "WORKERS", 1, "server processes of one `manage.py serve`; more than one needs `REDIS_URL`", most=256
)
ALLOWED_HOSTS = env.texts(
    "ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]"], "host names that clients may use"
)
ALLOWED_ORIGINS = env.texts(
    "ALLOWED_ORIGINS",
    [],
    "other origins whose pages may open sockets, use REST (CORS, under `/api/`) and poll `/socket.io/`. With "
    "scheme and port: `https://app.example,http://localhost:5500`. `https://.app.example` is that name and all its "
    "subdomains, `*` is every page. Pages send tokens, never cookies",
    shown="empty: only pages of the server's own host",
)
TRUSTED_PROXIES = env.parsed(
    "TRUSTED_PROXIES",
    "",
    "the number of proxies that every request passes (`1`), or their networks (`10.0.0.0/8,192.0.2.7`). Only these "
    "are believed about the client's address, the scheme and the request id",
    parse=TrustedProxies.parse,
)
PING_SECONDS = env.seconds(
    "PING_SECONDS",
    15.0,
    "the interval between WebSocket pings, and the time to wait for an answer; a peer that vanished is found "
    "within twice that",
    least=0.1,
    most=600,
)
KEEP_ALIVE_SECONDS = env.whole(
    "KEEP_ALIVE_SECONDS",
    75,
    "how long an idle HTTP connection stays open. Longer than a proxy keeps it, which otherwise sends a request "
    "into a connection that is being closed, and answers 502",
    most=3_600,
)
SECURE_SSL_REDIRECT = env.switch("SECURE_SSL_REDIRECT", False, "redirects plain HTTP to https")
SECURE_HSTS_SECONDS = env.whole(
    "SECURE_HSTS_SECONDS", 0, "how long browsers insist on https", least=0, most=63_072_000
)
DATA_DIR = Path(
    env.text(
        "DATA_DIR",
        str(BASE_DIR / "data"),
        "directory of the SQLite database and of the key created with `DEBUG=on`",
        shown="`data` beside `manage.py`",
    )
)
DATA_DIR.mkdir(parents=True, exist_ok=True)
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_LEVEL = env.one_of("LOG_LEVEL", LOG_LEVELS, "INFO", "level of the log on stderr, one JSON object a line")
LOG_DIR = env.text(
    "LOG_DIR",
    "",
    "directory for the same records in files, `chat.log` and its older versions; all processes may share it",
)
LOG_FILE_BYTES = env.whole(
    "LOG_FILE_BYTES",
    50 * 1024 * 1024,
    "size at which a new file is started",
    least=4_096,
    most=10_737_418_240,
)
LOG_FILE_COUNT = env.whole("LOG_FILE_COUNT", 10, "number of older files that are kept", most=1_000)
CONSOLE = env.switch("CONSOLE", True, "the page at `/console/` for trying the server")
SOCKETIO = env.switch("SOCKETIO", True, "`/socket.io/` for Socket.IO clients, beside `/ws/chat/`")

env.section("Traces")
# Read here to know whether to trace; the exporter reads this variable and its others by itself.
OTEL_EXPORTER_OTLP_ENDPOINT = env.text(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "",
    "base URL of an OTLP collector over HTTP, for example `http://collector:4318`; spans go to `/v1/traces` there. "
    "The other variables of OpenTelemetry's exporter and sampler work as its documentation says",
    shown="empty: no traces",
)
OTEL_SERVICE_NAME = env.text("OTEL_SERVICE_NAME", "chat", "the service name in the spans")

env.section("Database and Redis")
DATABASE_URL = env.text(
    "DATABASE_URL",
    "",
    "`mongodb://user:password@host1,host2/name?replicaSet=rs0` (through djongo_lts), `postgres://..`, `sqlite:///..`",
    shown="SQLite in `DATA_DIR`",
)
DB_THREADS = env.whole("DB_THREADS", 8, "threads, and therefore database connections, of a process", most=256)
REDIS_URL = env.text(
    "REDIS_URL",
    "",
    "`redis://:password@host:6379/0`; `rediss://` uses TLS. Sentinel is "
    "`redis+sentinel://:password@host1:26379,host2:26379/mymaster/0`, with `?sentinel_username=` and "
    "`?sentinel_password=` if the sentinels require them, and `rediss+sentinel://` for TLS to Redis. Required for "
    "more than one process",
    shown="an in-process Redis",
)

env.section("Accounts")
ACCESS_TOKEN_SECONDS = env.whole(
    "ACCESS_TOKEN_SECONDS", 15 * 60, "lifetime of an access token", most=31_622_400
)
REFRESH_TOKEN_SECONDS = env.whole(
    "REFRESH_TOKEN_SECONDS",
    30 * 24 * 3600,
    "lifetime of a refresh token, counted from its last use",
    most=31_622_400,
)
REFRESH_REUSE_SECONDS = env.whole(
    "REFRESH_REUSE_SECONDS",
    30,
    "how long a refresh token that was used up is answered with its successor, if that was not used yet: after a "
    "lost answer, or from a second tab. Later, and with `0` always, it ends the session",
    least=0,
    most=300,
)
RESERVED_USERNAMES = env.texts(
    "RESERVED_USERNAMES",
    [
        "abuse", "admin", "administrator", "admins", "all", "anonymous", "bot", "channel", "deleted", "everyone",
        "help", "here", "me", "mod", "moderator", "moderators", "none", "noreply", "null", "official", "postmaster",
        "root", "security", "staff", "superuser", "support", "sysadmin", "system", "undefined", "webmaster",
    ],
    "usernames that nobody can sign up with, in any case and with `_`, `.` and `-` anywhere in them. Accounts that "
    "have one keep it, and commands can make one",
)  # fmt: skip
PASSWORD_MEMORY_KIB = env.whole(
    "PASSWORD_MEMORY_KIB",
    # The default is Django's.
    102_400,
    "memory that Argon2 uses to hash a password. A change applies to each password from its owner's next login",
    least=64,
    most=4_194_304,
)

env.section("The desk", "The pages at `/admin/`, on which staff log in with a cookie.")
ADMIN_SESSION_SECONDS = env.whole(
    "ADMIN_SESSION_SECONDS",
    10 * 3600,
    "how long a login lasts at most",
    least=300,
    most=7 * 24 * 3600,
)
ADMIN_IDLE_SECONDS = env.whole(
    "ADMIN_IDLE_SECONDS",
    2 * 3600,
    "how long a login lasts without a request",
    least=60,
    most=7 * 24 * 3600,
)
AUDIT_KEY = env.text(
    "AUDIT_KEY",
    "",
    "signs the entries of the audit log, so that nobody forges them who can only write to the database; at least "
    "32 random characters, the same for all processes ([decision 25](decisions/0025-a-keyed-audit-log.md))",
    validate=empty_or_long,
    shown="empty: a key derived from `SECRET_KEY`",
)
AUDIT_KEY_FALLBACKS = env.texts(
    "AUDIT_KEY_FALLBACKS",
    [],
    "older keys, of which entries are still accepted: earlier values of `AUDIT_KEY`, and of `SECRET_KEY` where "
    "that signed. `SECRET_KEY` and `SECRET_KEY_FALLBACKS` are accepted in any case",
)

env.section(
    "Limits",
    "`RATE_LIMITS=off` turns off the limits over time. [operations.md](operations.md#when-a-part-is-away) says "
    "more about limits while Redis is away.",
)
RATE_LIMITS = env.switch("RATE_LIMITS", True, "whether rates are limited")
RATES = {limit.variable: env.rate(limit) for limit in LIMITS}
MAX_CONTENT_CHARS = env.whole("MAX_CONTENT_CHARS", 4000, "characters of a message", most=100_000)
MAX_META_BYTES = env.whole(
    "MAX_META_BYTES", 4096, "bytes of a message's or a room's `meta`, as JSON", most=65_536
)
MAX_FRAME_BYTES = env.whole(
    "MAX_FRAME_BYTES", 65536, "bytes of a frame; a larger one closes the socket with 1009", most=16_777_216
)
MAX_BODY_BYTES = env.whole(
    "MAX_BODY_BYTES",
    1024 * 1024,
    "bytes of the body of a request, on every path; a larger one is answered 413. At least `MAX_FRAME_BYTES`. The "
    "proxy has a limit of its own (`client_max_body_size`). JSON under `/api/` has at most 256 KiB",
    most=67_108_864,
)
# A client that polls sends its frames as bodies.
MAX_BODY_BYTES = max(MAX_BODY_BYTES, MAX_FRAME_BYTES)
BODY_SECONDS = env.seconds(
    "BODY_SECONDS",
    30.0,
    "how long the body of a request may take to arrive; then it is answered 408 and the connection closed",
    least=0.1,
    most=3_600,
)
RESUME_MAX_MESSAGES = env.whole(
    "RESUME_MAX_MESSAGES",
    5000,
    "messages and changes sent for a `resume`; the reply says where it stopped",
    most=100_000,
)
RESUME_MAX_BYTES = env.whole(
    "RESUME_MAX_BYTES",
    4_194_304,
    "bytes of the frames sent for a `resume`; the reply says where it stopped",
    most=268_435_456,
)
MAX_CONNECTIONS_USER = env.whole("MAX_CONNECTIONS_USER", 10, "sockets of a user", most=1_000_000)
MAX_ROOM_MEMBERS = env.whole("MAX_ROOM_MEMBERS", 1000, "members of a room", most=100_000)
MAX_ROOMS_USER = env.whole(
    "MAX_ROOMS_USER",
    1000,
    "rooms of a user, direct ones included; who has so many can neither make a room nor be added to one. Counted "
    "before each write, so writes at the same moment may exceed it by a few. Rooms that exist already stay",
    most=1_000_000,
)
READY_ROOMS = env.whole(
    "READY_ROOMS",
    1000,
    "rooms in `ready`, and in each `ready:rooms` that follows it to a user who has more",
    most=10_000,
)

env.section("Retention")
RETENTION_DAYS = env.whole(
    "RETENTION_DAYS",
    0,
    "age in days at which `manage.py apply_retention` archives messages, in rooms without a policy of their own "
    "(set on the room's admin page); `0` means never",
    least=0,
    most=MAX_DAYS,
)
ARCHIVE_DIR = env.text(
    "ARCHIVE_DIR",
    str(DATA_DIR / "archive"),
    "directory of the archives, on a disk: archiving to tmpfs and ramfs is refused",
    shown="`archive` in `DATA_DIR`",
) or str(DATA_DIR / "archive")

env.section("Presence")
PRESENCE_ROOM_LIMIT = env.whole(
    "PRESENCE_ROOM_LIMIT", 100, "rooms with more members do not announce who comes and goes", most=100_000
)
PRESENCE_LEASE_SECONDS = env.seconds(
    "PRESENCE_LEASE_SECONDS",
    20.0,
    "lifetime of a lease: after a crash, users are offline when their leases end",
    least=1,
    most=3_600,
)
PRESENCE_RENEW_SECONDS = env.seconds(
    "PRESENCE_RENEW_SECONDS", 8.0, "interval between renewals; at most half a lease", least=0.1, most=1_800
)
PRESENCE_GRACE_SECONDS = env.seconds(
    "PRESENCE_GRACE_SECONDS",
    3.0,
    "how long a user stays online after their last socket closed, so that a page reload is not announced",
    least=0,
    most=600,
)

# === Django and the libraries ===============================================================================


def _secret_key(key: str) -> str:
    """The given key, or with DEBUG one that is created once and kept in DATA_DIR."""
    if key:
        return key
    if not DEBUG:
        raise ImproperlyConfigured(
            "SECRET_KEY is not set. Give one of at least 50 random characters; or, for work on this machine only, "
            "set DEBUG=on, and one is created and kept in DATA_DIR (`make run` does so)."
        )
    return kept_key(DATA_DIR / "secret_key")


SECRET_KEY = _secret_key(SECRET_KEY)

# --- applications -------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    # First, so that `manage.py runserver` serves sockets too. Other commands would load Twisted for nothing: 16 MB.
    *(["daphne"] if "runserver" in sys.argv else []),
    "servestatic.runserver_nostatic",
    "moderation.apps.DeskConfig",
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
    "moderation.apps.ModerationConfig",
    "operations",
    "console",
    "chatproject.apps.ChatProjectConfig",
]

MIDDLEWARE = [
    # The asynchronous ones come first; the others then run in one thread, with one hop.
    "chatproject.middleware.request_log",
    # Before any middleware that may refuse a request: pages need to read errors too.
    "corsheaders.middleware.CorsMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "moderation.desk.cookies.end_idle_cookies",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "chatproject.urls"
ASGI_APPLICATION = "chatproject.asgi.application"
# For the admin. The paths of the API have no trailing slash.
APPEND_SLASH = True
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
# The console uses the reference client.
STATICFILES_DIRS = [("chat_client", BASE_DIR / "clients" / "js")]
STATIC_ROOT = BASE_DIR / "staticfiles"
# Static files are served without collectstatic, which the image runs all the same.
SERVESTATIC_USE_FINDERS = True
SERVESTATIC_AUTOREFRESH = False
SERVESTATIC_ADD_HEADERS_FUNCTION = add_security_headers
# For `collectstatic`: its files are for the web server, whatever the umask.
FILE_UPLOAD_PERMISSIONS, FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o644, 0o755

# --- database -----------------------------------------------------------------------------------------------


def _database(database_url: str) -> dict[str, Any]:
    """The entry of DATABASES: djongo_lts reads mongodb://, dj-database-url reads the others."""
    if database_url.startswith("mongodb"):
        from djongo_lts import url

        return url.parse(database_url)
    database: dict[str, Any] = {
        **dj_database_url.parse(database_url or f"sqlite:///{DATA_DIR / 'chat.sqlite3'}")
    }
    if database["ENGINE"] == "django.db.backends.sqlite3":
        database["OPTIONS"] = {
            "timeout": 10,
            # Take the write lock at BEGIN: two transactions that read first could not both upgrade theirs.
            "transaction_mode": "IMMEDIATE",
            # FULL: an acknowledged message survives a power cut; group commit pays for that once a batch.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16000;",
        }
    return database


DATABASES = {"default": env.parse("DATABASE_URL", DATABASE_URL, _database)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Redis: fan-out, cache, presence, limits ----------------------------------------------------------------

if REDIS_URL:
    redis_address = env.parse("REDIS_URL", REDIS_URL, RedisAddress.parse)
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
            "OPTIONS": {
                "CONNECTION_POOL_CLASS": "foundation.redis.client.InProcessConnectionPool",
                "SERIALIZER": CACHE_SERIALIZER,
            },
        }
    }

# --- accounts -----------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
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
] + [{"NAME": "accounts.password_changes.EndsLogins"}]
AUTHENTICATION_BACKENDS = ["accounts.backends.LimitedBackend"]
SESSION_COOKIE_AGE = ADMIN_SESSION_SECONDS
# The cookies of the admin. `__Host-` makes a browser refuse one that another host of the domain has set.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = (
    ("sessionid", "csrftoken") if DEBUG else ("__Host-session", "__Host-csrf")
)
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Strict"
# W005, W021: the server does not know whether the other hosts of the domain use https too.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
CSRF_FAILURE_VIEW = "api.exceptions.csrf_failed"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        # Swagger UI and the browsable API have inline styles.
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
# Pages of ALLOWED_ORIGINS may use REST with tokens, never with cookies; see cors.py.
CORS_URLS_REGEX = r"^/api/"
CORS_EXPOSE_HEADERS = ["Retry-After", "WWW-Authenticate", "X-Request-ID"]

# BoundedBodies refuses larger bodies first.
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES
FILE_UPLOAD_HANDLERS = ["chatproject.uploads.NoUploads"]

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
    # Without the hook for enums: ours come from structs, not from choice fields.
    "POSTPROCESSING_HOOKS": ["chatproject.api_examples.add_examples"],
}

# --- logs ---------------------------------------------------------------------------------------------------


def _log_handlers() -> dict[str, Any]:
    handlers: dict[str, Any] = {"console": {"class": "chatproject.logs.ConsoleHandler", "formatter": "json"}}
    if LOG_DIR:
        handlers["file"] = {
            "class": "chatproject.log_files.SharedLogFile",
            "path": str(Path(LOG_DIR) / "chat.log"),
            "max_bytes": LOG_FILE_BYTES,
            "old_files": LOG_FILE_COUNT,
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
        # request_log writes the access records; of these only tracebacks are wanted.
        "django.request": {"level": "ERROR", "filters": ["tracebacks"]},
        "django.server": {"level": "CRITICAL", "propagate": False},
        # At DEBUG it writes every header and frame, with tokens and messages.
        "uvicorn.error": {"level": "INFO" if LOG_LEVEL == "DEBUG" else LOG_LEVEL},
        # At DEBUG it writes every command to MongoDB.
        "pymongo": {"level": "INFO" if LOG_LEVEL == "DEBUG" else LOG_LEVEL},
        "uvicorn.access": {"level": "CRITICAL", "propagate": False},
        # Written whatever LOG_LEVEL is.
        "chat.security": {"level": "INFO"},
        "chat.audit": {"level": "INFO"},
        # At INFO it writes every packet, above that the errors of peers. Our own handlers log those.
        "engineio.server": {"level": "CRITICAL"},
        "daphne": {"level": "WARNING"},
        # The Python client uses it, in the commands `demo` and `chat`.
        "httpx": {"level": "WARNING"},
    },
}
