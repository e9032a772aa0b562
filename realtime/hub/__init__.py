"""Fan-out: one channel for each process, the order of each topic, and delivery to this process's connections."""
