"""Sockets: wire format, sessions, the hub, servers. Imports foundation, and knows no chat."""
