"""Socket.IO clients on the same services. All that relies on python-socketio's private parts is here."""
