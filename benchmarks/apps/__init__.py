"""The servers of our own that are measured."""
