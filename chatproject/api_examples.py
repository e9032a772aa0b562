"""Adds an example to every successful answer of the OpenAPI document, built from the schema of the answer.

A field that has no value here stops `make docs`.
"""

from typing import Any

Schema = dict[str, Any]

CAROL, BOB = "01a20bd1-bed6-707d-bd3a-71bea614e6cb", "01a20bd2-0f3c-7a41-9c55-0c2f5f6d7e80"
ROOM, MESSAGE = "01a20bd2-4a6e-7c0b-8f6d-3b7f0f0e9a11", "01a20bd2-9b1c-7e22-a1d4-5f0c8b7a6d32"
EARLIER, LATER = "2026-11-24T04:30:24.982Z", "2026-11-24T04:31:59.819Z"
TOKEN = "eyJhbGciOiJIUzI1NiIs.."  # noqa: S105  # the beginning of every such token

# Values by the name of the field, or by `Component.field` if the name has several meanings.
VALUES: dict[str, Any] = {
    "accessToken": TOKEN,
    "avatarUrl": "https://example.com/carol.png",
    "clientMessageId": "6f1c2a90b1",
    "content": "Hello Bob!",
    "createdAt": EARLIER,
    "createdBy": CAROL,
    "current": True,
    "deliveredSeq": 0,
    "deliveredTo": [BOB],
    "devices": ["laptop-7f3a"],
    "displayName": "Carol",
    "editedAt": None,
    "email": "carol@example.com",
    "firstSeq": 1,
    "from": CAROL,
    "hasMore": False,
    "id": CAROL,
    "ip": "192.0.2.7",
    "joinedAt": EARLIER,
    "kind": "group",
    "lastActivityAt": LATER,
    "lastSeen": LATER,
    "lastSeq": 1,
    "lastUsed": LATER,
    "lockedAt": None,
    "MessageData.createdAt": LATER,
    "MessageData.id": MESSAGE,
    "meta": {},
    "mutedUntil": None,
    "name": "lunch",
    "next": None,
    "online": True,
    "previous": None,
    "readBy": [BOB],
    "readSeq": 0,
    "reason": "This is spam.",
    "refreshToken": TOKEN,
    "replyTo": None,
    "role": "member",
    "RoomData.id": ROOM,
    "RoomData.role": "owner",
    "RoomDetail.id": ROOM,
    "RoomDetail.role": "owner",
    "roles": ["user"],
    "roomId": ROOM,
    "seq": 1,
    "serverMessageId": MESSAGE,
    "Session.id": "01a20bd1-c0aa-7b1f-b2c3-1d2e3f405162",
    "to": None,
    "type": "text",
    "unreadCount": 0,
    "userAgent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
    "userId": BOB,
    "username": "carol",
}
# Values that differ from the usual ones of the component, by path.
AT_PATH: dict[str, Schema] = {
    "/api/rooms/direct": {"kind": "direct", "name": "", "to": BOB, "lastSeq": 0, "lastMessage": None}
}
# The component of a field that has no schema of its own.
INSIDE = {"lastMessage": "MessageData"}


def add_examples(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """drf-spectacular's hook: adds the examples to the document."""
    schemas = result["components"]["schemas"]
    for path, operations in result["paths"].items():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if status.startswith("2"):
                    for media in response.get("content", {}).values():
                        value = example_of(media["schema"], schemas)
                        if isinstance(value, dict):
                            value |= AT_PATH.get(path, {})
                        media["examples"] = {"Example": {"value": value, "summary": "example"}}
    return result


def example_of(schema: Schema, schemas: dict[str, Schema], *, owner: str = "", field: str = "") -> Any:
    """A value for `schema`, which describes `field` of the component `owner`. LookupError if there is none."""
    if reference := schema.get("$ref"):
        owner = reference.rpartition("/")[2]
        return example_of(schemas[owner], schemas, owner=owner)
    for name in (f"{owner}.{field}", field):
        if name in VALUES:
            return VALUES[name]
    if field in INSIDE:
        return example_of(schemas[INSIDE[field]], schemas, owner=INSIDE[field])
    if "properties" in schema:
        return {
            name: example_of(part, schemas, owner=owner, field=name)
            for name, part in schema["properties"].items()
        }
    if "items" in schema:
        return [example_of(schema["items"], schemas, owner=owner)]
    raise LookupError(f"chatproject/api_examples.py has no example of {owner}.{field}.")
