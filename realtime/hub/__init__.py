"""Fan-out: one channel per process, the order of each topic, delivery to this process's connections."""
