"""One client's connection: endpoint, session, transport and event handlers. Imports wire, and no hub."""
