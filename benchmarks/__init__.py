"""Measurements of the server beside others; benchmarks/README.md explains them. Nothing imports it."""
