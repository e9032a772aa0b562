"""The metric that several apps count, and the buckets of histograms.

Dashboards and alerts rely on the names of metrics: do not rename them.
"""

from prometheus_client import Counter

from .limits.named import LIMITS

# Upper bounds in seconds, for operations that usually take milliseconds.
FAST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

LIMITED = Counter("chat_rate_limited", "Frames and requests refused by a limit.", ["scope"])
# Series from the start: PromQL's `rate` does not count the first increase of a series that appears with it.
for _limit in LIMITS:
    LIMITED.labels(_limit.scope)
