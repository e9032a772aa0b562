-- Releases the lease of one socket. After the user's last one, the user stays online for a grace, so that a reload of
-- a page announces nothing. A sweep ends the grace.
-- KEYS[1]  the user's sockets (see acquire.lua)
-- KEYS[2]  the online users of the shard
-- KEYS[3]  the users who left and are not announced yet
-- KEYS[4]  the users whom a sweep took and who are not announced yet
-- ARGV[1]  user         ARGV[2]  member of KEYS[1]
-- ARGV[3]  grace in ms  ARGV[4]  time since the socket closed, in ms
-- ARGV[5]  if Redis has lost the user's entry, put it back for this time in ms, so that a sweep announces the user;
--          0 if the user may already be announced
-- Returns the number of the user's other sockets.
local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call("ZREM", KEYS[1], ARGV[2])
redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", now)
local known = redis.call("ZSCORE", KEYS[2], ARGV[1])
local last = redis.call("ZREVRANGE", KEYS[1], 0, 0, "WITHSCORES")
if last[2] then
  -- The other sockets may be those of a dead process, so the user stays online until their last lease ends.
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
