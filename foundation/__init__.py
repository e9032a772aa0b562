"""What every process needs: errors, ids, times, the event loop, Redis, rate limits. Imports nothing of ours."""
