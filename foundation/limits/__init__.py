"""Rate limits: their declarations, and their counts by GCRA in Redis or in this process."""
