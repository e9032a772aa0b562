-- Takes a lease for one socket. If its user has too many sockets, it takes the place of the oldest socket of its device.
-- KEYS[1]  the user's sockets: zset, member device:connection, score the end of its lease in ms
-- KEYS[2]  the online users of the shard: zset, member user, score the end of the user's last lease in ms
-- KEYS[3]  the users who left and are not announced yet: hash, user to the time of leaving in ms
-- KEYS[4]  the users whom a sweep took and who are not announced yet: zset, member user, score the time in ms from
--          which another sweep may take them
-- ARGV[1]  user        ARGV[2]  member of KEYS[1]
-- ARGV[3]  lease in ms ARGV[4]  the maximum number of sockets of a user
-- ARGV[5]  device
-- Returns {now in ms, number of the user's sockets (-1 if refused: there are too many, none of the device), 1 if the
-- user came online by this, the connection whose place was taken or ""}.
local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lease_end = now + tonumber(ARGV[3])
redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", now)
local replaced = ""
if not redis.call("ZSCORE", KEYS[1], ARGV[2]) and redis.call("ZCARD", KEYS[1]) >= tonumber(ARGV[4]) then
  local device = ARGV[5] .. ":"
  for _, member in ipairs(redis.call("ZRANGE", KEYS[1], 0, -1)) do
    if string.sub(member, 1, #device) == device then
      -- The ids of connections begin with their times.
      local connection = string.sub(member, #device + 1)
      if replaced == "" or connection < replaced then
        replaced = connection
      end
    end
  end
  if replaced == "" then
    return {now, -1, 0, ""}
  end
  redis.call("ZREM", KEYS[1], device .. replaced)
end
local online_until = tonumber(redis.call("ZSCORE", KEYS[2], ARGV[1]) or "0")
redis.call("ZADD", KEYS[1], lease_end, ARGV[2])
redis.call("PEXPIRE", KEYS[1], ARGV[3])
redis.call("ZADD", KEYS[2], lease_end, ARGV[1])
redis.call("HDEL", KEYS[3], ARGV[1])
redis.call("ZREM", KEYS[4], ARGV[1])
return {now, redis.call("ZCARD", KEYS[1]), online_until <= now and 1 or 0, replaced}
