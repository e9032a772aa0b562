"""The process's Redis: its address, its client, and whether it is away."""
