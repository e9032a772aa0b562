"""How much CPU time the engine takes in the client."""
