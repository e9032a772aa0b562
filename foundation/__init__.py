"""What every process needs: errors, ids, times, the event loop, Redis, limits. Imports nothing of ours."""
