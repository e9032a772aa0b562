"""Every rate limit of the server, declared once.

From a declaration come the variable and its row in docs/configuration.md, the rate in `settings.RATES`, the series
of `chat_rate_limited`, the field of `ready.limits` and the key of the count. CONTRIBUTING.md has the walk.
"""

from .declaration import NamedLimit, WhileRedisIsAway

MESSAGES_USER = NamedLimit(
    name="messages:user",
    variable="LIMIT_MESSAGES_USER",
    default="10/5s",
    counts="messages, edits and changes of rooms of a user, over all devices and processes",
    ready_field="messages_user",
)
MESSAGES_ROOM = NamedLimit(
    name="messages:room",
    variable="LIMIT_MESSAGES_ROOM",
    default="50/5s",
    counts="messages, edits and changes of a room",
    ready_field="messages_room",
)
EVENTS_USER = NamedLimit(
    name="events:user",
    variable="LIMIT_EVENTS_USER",
    default="250/5s",
    counts="deletions, acknowledgements, presence queries, token renewals over the socket and changes of members "
    "by a user, in each process",
    ready_field="events_user",
    while_redis_is_away=WhileRedisIsAway.UNCHANGED,
)
TYPING_USER = NamedLimit(
    name="typing:user",
    variable="LIMIT_TYPING_USER",
    default="20/5s",
    counts="typing that a user begins or renews, in each process",
    ready_field="typing_user",
    while_redis_is_away=WhileRedisIsAway.UNCHANGED,
)
ROOMS_USER = NamedLimit(
    name="rooms:user",
    variable="LIMIT_ROOMS_USER",
    default="30/1m",
    counts="rooms that a user makes, also by a first message to somebody",
    ready_field="rooms_user",
)
ROOMS_USER_LONG = NamedLimit(
    name="rooms:user-long",
    variable="LIMIT_ROOMS_USER_LONG",
    default="200/1h",
    counts="the same rooms over a longer time",
    ready_field="rooms_user_long",
)
STRANGERS_USER = NamedLimit(
    name="strangers:user",
    variable="LIMIT_STRANGERS_USER",
    default="500/1h",
    counts="people whom a user puts into a room and with whom the user shares none yet, each person counted, also "
    "by a first message to somebody",
    ready_field="strangers_user",
)
ADDS_MEMBER = NamedLimit(
    name="adds:member",
    variable="LIMIT_ADDS_MEMBER",
    default="3/1d",
    counts="times that a person is added to the same group, by whichever admins: who left is not put back without "
    "end",
    ready_field="adds_member",
)
CONNECTS_IP = NamedLimit(
    name="connects:ip",
    variable="LIMIT_CONNECTS_IP",
    default="3000/1m",
    counts="sockets that are opened from an address (a /64 network for IPv6), counted before their tokens are "
    "read. [operations.md](operations.md#connects) explains the numbers of these three",
    ready_field="connects_ip",
)
CONNECTS_USER = NamedLimit(
    name="connects:user",
    variable="LIMIT_CONNECTS_USER",
    default="30/1m",
    counts="sockets that a user opens, over all devices. Raise it with `MAX_CONNECTIONS_USER`",
    ready_field="connects_user",
)
CONNECTS_FORGED = NamedLimit(
    name="connects:forged",
    variable="LIMIT_CONNECTS_FORGED",
    default="60/1m",
    counts="sockets that are opened from an address with a token that this server did not issue. An expired token "
    "does not count",
    ready_field="connects_forged",
)
FRAMES = NamedLimit(
    name="frames",
    variable="LIMIT_FRAMES",
    default="50/1s",
    counts="frames of one connection",
    ready_field="frames",
    while_redis_is_away=WhileRedisIsAway.UNCHANGED,
)
RESUMES_USER = NamedLimit(
    name="resumes:user",
    variable="LIMIT_RESUMES_USER",
    default="120/1m",
    counts="resumes of a user, over all devices and processes",
    ready_field="resumes_user",
)
REST_ANON = NamedLimit(
    name="rest-anon",
    variable="LIMIT_REST_ANON",
    default="100/15m",
    counts="requests without a token from an address (a /64 network for IPv6), but not logins and refreshes",
)
REST_USER = NamedLimit(
    name="rest-user",
    variable="LIMIT_REST_USER",
    default="1000/15m",
    counts="requests of a user",
)
BAD_TOKENS = NamedLimit(
    name="rest-bad-token",
    variable="LIMIT_BAD_TOKENS",
    default="100/15m",
    counts="requests with a token that is not accepted, from an address; of an expired one, for that token",
)
REFRESH_SESSION = NamedLimit(
    name="refresh-session",
    variable="LIMIT_REFRESH_SESSION",
    default="30/15m",
    counts="refreshes and logouts of a session",
)
PASSWORD_SESSION = NamedLimit(
    name="password-session",
    variable="LIMIT_PASSWORD_SESSION",
    default="5/1m",
    counts="attempts of a session to change the password",
)
SEARCHES_USER = NamedLimit(
    name="searches:user",
    variable="LIMIT_SEARCHES_USER",
    default="60/1m",
    counts="searches of messages by a user, each of which reads the messages of all the user's rooms",
)
LOGIN_ACCOUNT = NamedLimit(
    name="login-account",
    variable="LIMIT_LOGIN_ACCOUNT",
    default="5/1m",
    counts="attempts at the password of an account from an address",
)
LOGIN_NEW_ADDRESSES = NamedLimit(
    name="login-new-addresses",
    variable="LIMIT_LOGIN_NEW_ADDRESSES",
    default="100/1h",
    counts="attempts at the password of an account from all addresses together that its sessions do not have",
)
LOGIN_IP = NamedLimit(
    name="login-ip",
    variable="LIMIT_LOGIN_IP",
    default="20/1m",
    counts="login attempts from an address",
)
SIGNUP_IP = NamedLimit(
    name="signup-ip",
    variable="LIMIT_SIGNUP_IP",
    default="10/1h",
    counts="new accounts from an address",
)

LIMITS = (
    MESSAGES_USER,
    MESSAGES_ROOM,
    EVENTS_USER,
    TYPING_USER,
    ROOMS_USER,
    ROOMS_USER_LONG,
    STRANGERS_USER,
    ADDS_MEMBER,
    CONNECTS_IP,
    CONNECTS_USER,
    CONNECTS_FORGED,
    FRAMES,
    RESUMES_USER,
    REST_ANON,
    REST_USER,
    BAD_TOKENS,
    REFRESH_SESSION,
    PASSWORD_SESSION,
    SEARCHES_USER,
    LOGIN_ACCOUNT,
    LOGIN_NEW_ADDRESSES,
    LOGIN_IP,
    SIGNUP_IP,
)
