"""The socket's events as TypeScript types, made from the AsyncAPI document.

ServerEvents["message:receive"]          the data of a server event
ClientEvents["message:send"]["data"]     the data and the reply of a client event
"""

import json
from collections.abc import Iterator
from typing import Any

from .asyncapi import REF

SCHEMA_PREFIX = REF.format(name="")
SIMPLE = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}

HEAD = """\
// Types of the socket's events: `make docs` writes this file from the declarations in the server.
"""

FRAMES = """\
/** A frame that a client sends. The reply or error echoes `ref`. */
export type ClientFrame = {
  [E in keyof ClientEvents]: { event: E; data: ClientEvents[E]["data"]; ref?: string | number };
}[keyof ClientEvents];

/** A frame that the server sends. */
export type ServerFrame =
  | { [E in keyof ServerEvents]: { event: E; data: ServerEvents[E] } }[keyof ServerEvents]
  | { event: "reply"; ref: string | number; data: ClientEvents[keyof ClientEvents]["reply"] }
  | { event: `error:${ErrorData["code"]}`; ref?: string | number; data: ErrorData };
"""


def build_types(document: dict[str, Any]) -> str:
    """The text of a `.d.ts` file. Raises NotImplementedError for a schema that has no translation yet."""
    messages = document["channels"]["chat"]["messages"]
    schemas = document["components"]["schemas"] | {"ErrorData": _data(messages["error"])}
    blocks = [HEAD, *(_declaration(name, schema) for name, schema in schemas.items())]
    blocks.append(_map("ClientEvents", _client_events(document["operations"], messages)))
    blocks.append(_map("ServerEvents", _server_events(messages)))
    return "\n".join([*blocks, FRAMES])


def _client_events(operations: dict[str, Any], messages: dict[str, Any]) -> Iterator[str]:
    for operation in operations.values():
        if operation["action"] == "receive":
            request, reply = (
                messages[refs[0]["$ref"].rpartition("/")[2]]
                for refs in (operation["messages"], operation["reply"]["messages"])
            )
            yield _comment(f"{request['summary']} Allowed: {request['x-allowed']}.", indent="  ")
            types = f"{{ data: {_type(_data(request))}; reply: {_type(_data(reply))} }}"
            yield f"  {json.dumps(request['name'])}: {types};\n"


def _server_events(messages: dict[str, Any]) -> Iterator[str]:
    for message in messages.values():
        if "x-audience" in message:
            yield _comment(f"{message['summary']} Received by {message['x-audience']}.", indent="  ")
            yield f"  {json.dumps(message['name'])}: {_type(_data(message))};\n"


def _data(message: dict[str, Any]) -> dict[str, Any]:
    return dict(message["payload"]["properties"]["data"])


def _map(name: str, lines: Iterator[str]) -> str:
    return f"export interface {name} {{\n{''.join(lines)}}}\n"


def _declaration(name: str, schema: dict[str, Any]) -> str:
    comment = _comment(schema.get("description", ""))
    if schema.get("properties"):
        return f"{comment}export interface {name} {_object(schema, indent='')}\n"
    return f"{comment}export type {name} = {_type(schema)};\n"


def _object(schema: dict[str, Any], *, indent: str) -> str:
    lines = []
    for field, shape in schema["properties"].items():
        mark = "" if field in schema.get("required", ()) else "?"
        lines.append(_comment(shape.get("description", ""), indent=f"{indent}  "))
        lines.append(f"{indent}  {field}{mark}: {_type(shape, indent=f'{indent}  ')};\n")
    return f"{{\n{''.join(lines)}{indent}}}"


def _type(schema: dict[str, Any], *, indent: str = "") -> str:
    match schema:
        case {"$ref": ref}:
            return str(ref.removeprefix(SCHEMA_PREFIX))
        case {"const": value}:
            return json.dumps(value)
        case {"enum": values}:
            return " | ".join(json.dumps(value) for value in values)
        case {"anyOf": options}:
            return " | ".join(_type(option, indent=indent) for option in options)
        case {"type": list(names)}:
            return " | ".join(_type({"type": name}) for name in names)
        case {"type": "array", "items": dict(item)}:
            return f"Array<{_type(item, indent=indent)}>"
        case {"type": "object", "properties": properties} if properties:
            return _object(schema, indent=indent)
        case {"type": "object", "additionalProperties": False}:
            return "Record<string, never>"
        case {"type": "object"}:
            values = schema.get("additionalProperties", True)
            return f"Record<string, {'unknown' if values is True else _type(values, indent=indent)}>"
        case {"type": name} if name in SIMPLE:
            return SIMPLE[name]
        case _ if set(schema) <= {"description", "default", "title"}:
            return "unknown"
    raise NotImplementedError(f"There is no TypeScript type for the schema {schema}.")


def _comment(text: str, *, indent: str = "") -> str:
    if not text:
        return ""
    first, *others = text.replace("*/", "* /").splitlines()
    lines = "".join(f"\n{indent} * {line}".rstrip() for line in others)
    return f"{indent}/** {first}{lines}{f'{chr(10)}{indent}' if others else ''} */\n"
