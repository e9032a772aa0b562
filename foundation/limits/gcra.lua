-- Takes from each of several limits, or from none of them (GCRA on Redis time).
-- KEYS[i]        the limit's key. Its value is the time, in ms, at which the bucket is empty again
-- ARGV[3i-2]     the number of events in a period
-- ARGV[3i-1]     the period in seconds
-- ARGV[3i]       the number of events to take
-- Returns 0, or the milliseconds until the events would pass all limits.
local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local wait, empty_at = 0, {}
for i, key in ipairs(KEYS) do
  local period = tonumber(ARGV[3 * i - 1]) * 1000
  local step = tonumber(ARGV[3 * i]) * period / tonumber(ARGV[3 * i - 2])
  local next_at = math.max(tonumber(redis.call("GET", key) or "0"), now) + step
  -- A tenth of a millisecond for rounding errors, which would sometimes refuse the last event of a burst.
  wait = math.max(wait, math.ceil(next_at - now - period - 0.1))
  empty_at[i] = next_at
end
if wait > 0 then
  return wait
end
for i, key in ipairs(KEYS) do
  redis.call("SET", key, string.format("%.3f", empty_at[i]), "PX", math.ceil(empty_at[i] - now))
end
return 0
