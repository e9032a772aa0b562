"""Rate limits by GCRA, counted in Redis or in this process."""
