"""uvicorn's protocols as this server needs them. Only this package uses the private parts of uvicorn."""
