"""The socket as an AsyncAPI 3 document, made from the registry of events."""

from typing import Any

from foundation.errors import ERRORS
from realtime.session.handlers import EventRegistry
from realtime.wire.close_codes import CloseCode
from realtime.wire.protocol import json_schema

REF = "#/components/schemas/{name}"


def build_document(registry: EventRegistry, *, version: str) -> dict[str, Any]:
    """`x-allowed` says who may send a client event, `x-audience` who receives a server event."""
    messages: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    sends = []

    def add(name: str, event: str, shape: Any, summary: str) -> dict[str, str]:
        schema, found = json_schema(shape, ref_template=REF)
        schemas.update(found)
        payload = {
            "type": "object",
            "required": ["event", "data"],
            "properties": {"event": {"const": event}, "data": schema},
        }
        messages[name] = {"name": event, "summary": summary, "payload": payload}
        return {"$ref": f"#/channels/chat/messages/{name}"}

    operations: dict[str, Any] = {}
    for event, spec in registry.events.items():
        key = _key(event)
        request = add(f"{key}Request", event, spec.data, spec.summary)
        messages[f"{key}Request"]["payload"]["properties"]["ref"] = {"type": ["string", "number"]}
        reply = add(f"{key}Reply", "reply", spec.reply, f"Answer to {event} with the same ref.")
        messages[f"{key}Reply"]["payload"]["properties"]["ref"] = {"type": ["string", "number"]}
        messages[f"{key}Request"]["x-allowed"] = spec.allowed.value
        operations[key] = {
            "action": "receive",
            "channel": {"$ref": "#/channels/chat"},
            "summary": spec.summary,
            "messages": [request],
            "reply": {"channel": {"$ref": "#/channels/chat"}, "messages": [reply]},
        }
    for sent in registry.server_events.values():
        key = f"{_key(sent.name)}Event"
        sends.append(add(key, sent.name, sent.data, sent.summary))
        messages[key]["x-audience"] = sent.audience.value
    messages["error"] = {
        "name": "error:<code>",
        "summary": "A frame was refused.",
        "payload": _error_payload(),
    }
    sends.append({"$ref": "#/channels/chat/messages/error"})
    operations["serverEvents"] = {"action": "send", "channel": {"$ref": "#/channels/chat"}, "messages": sends}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Chat socket", "version": version, "description": _description()},
        "defaultContentType": "application/json",
        "channels": {"chat": {"address": "/ws/chat/", "messages": messages}},
        "operations": operations,
        "components": {"schemas": schemas},
    }


def _key(event: str) -> str:
    head, *tail = event.replace(":", "_").split("_")
    return head + "".join(part.title() for part in tail)


def _error_payload() -> dict[str, Any]:
    data = {
        "type": "object",
        "required": ["code", "message"],
        "properties": {
            "code": {"enum": list(ERRORS)},
            "message": {"type": "string"},
            "fields": {
                "type": "object",
                "additionalProperties": {"type": "array", "items": {"type": "string"}},
            },
            "retryAfter": {"type": "number"},
            "requestId": {"type": ["string", "null"]},
        },
    }
    event = {"enum": [f"error:{code}" for code in ERRORS]}
    return {
        "type": "object",
        "required": ["event", "data"],
        "properties": {"event": event, "ref": {"type": ["string", "number"]}, "data": data},
    }


def _description() -> str:
    codes = "\n".join(f"- {code.value}: {code.name.lower().replace('_', ' ')}" for code in CloseCode)
    return f"One frame is one JSON text message, `{{event, data, ref?}}`. Close codes:\n\n{codes}"
