"""Sockets: wire format, sessions, the hub, servers. Imports foundation only, and nothing of the chat."""
