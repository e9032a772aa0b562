"""The process's Redis: its address, its client, and what happens while it is away."""
