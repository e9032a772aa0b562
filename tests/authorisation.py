"""The answer that each actor gets from each REST endpoint and each client event.

Endpoints have a row each; the test reads the URL configuration and fails for one without a row. The row of an event
follows from `allowed` in its declaration.
"""

from chatproject.routing import registry
from realtime.wire.events import Allowed

ACTORS = ("anonymous", "outsider", "former", "muted", "member", "admin", "owner", "deactivated", "staff")
# `former` was a member and was removed; `staff` may use the admin and is not a member of the room. The objects of a
# request are always the owner's: their room, message, session, membership.

OPEN = "200 200 200 200 200 200 200 200 200"
# Reads no token: 400 because the test sends an empty body.
TOKENLESS = "400 400 400 400 400 400 400 400 400"
LOGGED_IN = "401 200 200 200 200 200 200 403 200"
MEMBERS = "401 404 404 200 200 200 200 403 404"

REST = {
    # method and route                                          anon outs form mute memb admi owne deac staf
    "POST /api/auth/signup": TOKENLESS,
    "POST /api/auth/login": TOKENLESS,
    "POST /api/auth/refresh": TOKENLESS,
    "POST /api/auth/logout": TOKENLESS,
    "GET /api/auth/sessions": LOGGED_IN,
    "DELETE /api/auth/sessions/<str:session_id>":             "401 404 404 404 404 404 204 403 404",
    "POST /api/auth/password":                                "401 400 400 400 400 400 400 403 400",
    "GET /api/users": LOGGED_IN,
    "GET /api/users/me": LOGGED_IN,
    "PATCH /api/users/me": LOGGED_IN,
    "GET /api/users/<str:user_id>": LOGGED_IN,
    "GET /api/users/<str:user_id>/presence": MEMBERS,
    "GET /api/rooms": LOGGED_IN,
    "POST /api/rooms":                                        "401 201 201 201 201 201 201 403 201",
    "POST /api/rooms/direct":                                 "401 201 201 201 201 201 201 403 201",
    "GET /api/rooms/<str:room_id>": MEMBERS,
    "PATCH /api/rooms/<str:room_id>":                         "401 404 404 403 403 200 200 403 404",
    "DELETE /api/rooms/<str:room_id>":                        "401 404 404 403 403 403 204 403 404",
    "POST /api/rooms/<str:room_id>/members":                  "401 404 404 403 403 201 201 403 404",
    "PATCH /api/rooms/<str:room_id>/members/<str:user_id>":   "401 404 404 403 403 403 200 403 404",
    "DELETE /api/rooms/<str:room_id>/members/<str:user_id>":  "401 404 404 403 403 403 409 403 404",
    "GET /api/rooms/<str:room_id>/messages": MEMBERS,
    "POST /api/rooms/<str:room_id>/messages":                 "401 404 404 403 201 201 201 403 404",
    "PATCH /api/rooms/<str:room_id>/messages/<str:message_id>":
                                                              "401 404 404 403 403 403 200 403 404",
    "DELETE /api/rooms/<str:room_id>/messages/<str:message_id>":
                                                              "401 404 404 403 403 204 204 403 404",
    "GET /api/rooms/<str:room_id>/messages/<str:message_id>/receipts": MEMBERS,
    "POST /api/rooms/<str:room_id>/messages/<str:message_id>/report":
                                                              "401 404 404 201 201 201 201 403 404",
    "GET /api/rooms/<str:room_id>/presence": MEMBERS,
    "GET /api/messages/search": LOGGED_IN,
    # Open to all, but a token that is sent along is looked at.
    "GET /api/schema":                                        "200 200 200 200 200 200 200 403 200",
    "GET /docs":                                              "200 200 200 200 200 200 200 403 200",
    "GET /docs/events": OPEN,
    "GET /docs/asyncapi.json": OPEN,
    "GET /docs/errors": OPEN,
    "GET /console/": OPEN,
    "GET /favicon.ico":                                       "302 302 302 302 302 302 302 302 302",
    "GET /":                                                  "302 302 302 302 302 302 302 302 302",
}  # fmt: skip

# `4401`, `4403`: no socket at all. `nothing`: an answer that leaves out what is not theirs.
BY_ALLOWED = {
    # The owner is the author of the message.
    #                        anonymous outsider former muted member admin owner deactivated staff
    Allowed.ANYONE:          "4401 ok        ok        ok        ok        ok        ok 4403 ok",
    Allowed.FILTERED:        "4401 nothing   nothing   ok        ok        ok        ok 4403 nothing",
    Allowed.MEMBERS:         "4401 not_found not_found ok        ok        ok        ok 4403 not_found",
    Allowed.WRITERS:         "4401 not_found not_found muted     ok        ok        ok 4403 not_found",
    Allowed.AUTHOR:          "4401 not_found not_found muted     forbidden forbidden ok 4403 not_found",
    Allowed.AUTHOR_OR_ADMIN: "4401 not_found not_found forbidden forbidden ok        ok 4403 not_found",
    # With the owner's token: no user's connection becomes another user's.
    Allowed.SELF: "4401 unauthenticated unauthenticated unauthenticated unauthenticated unauthenticated ok 4403"
                  " unauthenticated",
}  # fmt: skip
EVENTS = {event: BY_ALLOWED[spec.allowed] for event, spec in registry.events.items()}


def row(cells: str) -> dict[str, str]:
    """A row's cells by actor."""
    return dict(zip(ACTORS, cells.split(), strict=True))
