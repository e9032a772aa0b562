"""The composition root: settings, ASGI, URLs, routing, logs, documents. May import all; nothing imports it."""
