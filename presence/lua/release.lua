-- Gives back the lease of one socket. With the user's last one the user stays online for a grace, so that a
-- reload is silent; the sweep ends it.
-- KEYS[1]  the user's sockets (see acquire.lua)
-- KEYS[2]  who is online in this shard
-- KEYS[3]  who has left but is not announced yet
-- KEYS[4]  who was taken by a sweep but is not announced yet
-- ARGV[1]  user         ARGV[2]  member of KEYS[1]
-- ARGV[3]  grace in ms  ARGV[4]  how long ago the socket closed, in ms
-- ARGV[5]  in ms: when Redis has lost the user's entry, put it back for this long, so that the end is announced;
--          0 when there may rightly be none
-- Returns the user's other sockets.
local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call("ZREM", KEYS[1], ARGV[2])
redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", now)
local known = redis.call("ZSCORE", KEYS[2], ARGV[1])
local last = redis.call("ZREVRANGE", KEYS[1], 0, 0, "WITHSCORES")
if last[2] then
  -- The last of the others may be a dead process's: the user is online as long as that, and no longer.
  if known then
    redis.call("ZADD", KEYS[2], math.max(tonumber(last[2]), now + tonumber(ARGV[3])), ARGV[1])
  end
  return redis.call("ZCARD", KEYS[1])
end
local stay = known and ARGV[3] or ARGV[5]
if tonumber(stay) > 0 then
  redis.call("ZADD", KEYS[2], now + tonumber(stay), ARGV[1])
  redis.call("ZREM", KEYS[4], ARGV[1])
  redis.call("HSET", KEYS[3], ARGV[1], now - tonumber(ARGV[4]))
end
return 0
