-- Renews the leases of many sockets of one shard, and creates those that are missing.
-- KEYS[1]    the online users of the shard (see acquire.lua)
-- KEYS[2]    the users who left and are not announced yet
-- KEYS[3]    the users whom a sweep took and who are not announced yet
-- KEYS[3+i]  the sockets of the i-th lease's user
-- ARGV[1]    lease in ms
-- ARGV[2i], ARGV[2i+1]  user and socket member of the i-th lease
-- Returns now in ms, then for each lease: 1 if its user was announced offline or lost by Redis, else 0; and the number
-- of the user's sockets.
local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lease_end = now + tonumber(ARGV[1])
local answer = {now}
for i = 1, #KEYS - 3 do
  local sockets, user = KEYS[3 + i], ARGV[2 * i]
  redis.call("ZREMRANGEBYSCORE", sockets, "-inf", now)
  redis.call("ZADD", sockets, lease_end, ARGV[2 * i + 1])
  redis.call("PEXPIRE", sockets, ARGV[1])
  -- A user whose lease ended, or whom a sweep took, is still online as long as nothing was announced.
  local added = redis.call("ZADD", KEYS[1], lease_end, user)
  answer[2 * i] = added - redis.call("ZREM", KEYS[3], user)
  answer[2 * i + 1] = redis.call("ZCARD", sockets)
  redis.call("HDEL", KEYS[2], user)
end
return answer
