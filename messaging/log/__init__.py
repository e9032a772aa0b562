"""The rooms' logs: storing a batch of drafts, and reading how far a log reaches. For database threads only."""
