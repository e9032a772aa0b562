"""The kit for tests, benchmarks and tools: it starts servers and databases, and drives a chat as its users do."""
