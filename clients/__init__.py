"""The reference clients in Python and JavaScript. They know the wire contract and none of the server's code."""
