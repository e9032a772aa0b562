"""All that relies on uvicorn's private parts is here."""
