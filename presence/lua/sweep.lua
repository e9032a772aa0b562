-- Takes users whose last lease has run out. Each is taken once, so whoever gets it announces it.
-- KEYS[1]  who is online in this shard (see acquire.lua)
-- KEYS[2]  who has left but is not announced yet
-- ARGV[1]  the most users to take
-- ARGV[2]  in ms: take also those whose lease ends within this time; 0 but for a process that is the only one
-- Returns ms until the next lease ends (-1 when there is none), then for each user taken: user, last seen in ms.
local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local ended = redis.call(
  "ZRANGEBYSCORE", KEYS[1], "-inf", now + tonumber(ARGV[2]), "WITHSCORES", "LIMIT", 0, ARGV[1]
)
local answer = {-1}
for i = 1, #ended, 2 do
  local user = ended[i]
  -- Without a time of leaving the process died, and its last lease's end is the best that is known.
  local left = tonumber(redis.call("HGET", KEYS[2], user) or ended[i + 1])
  redis.call("ZREM", KEYS[1], user)
  redis.call("HDEL", KEYS[2], user)
  answer[#answer + 1] = user
  answer[#answer + 1] = math.min(left, now)
end
local following = redis.call("ZRANGE", KEYS[1], 0, 0, "WITHSCORES")
if following[2] then
  answer[1] = math.max(0, tonumber(following[2]) - now)
end
return answer
