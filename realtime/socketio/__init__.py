"""Socket.IO clients on the same services. Only this package uses the private parts of python-engineio."""
