"""A socket from its handshake to its close: endpoint, session, connection, transport. Imports wire, not the hub."""
