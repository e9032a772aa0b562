-- Takes users whose last lease has run out, for the caller to announce. Who is not confirmed in time (confirm.lua),
-- because the caller died or the answer did not reach it, is taken again.
-- KEYS[1]  who is online in this shard (see acquire.lua)
-- KEYS[2]  who has left but is not announced yet
-- KEYS[3]  who was taken by a sweep but is not announced yet
-- ARGV[1]  the most users to take
-- ARGV[2]  in ms: take also those whose lease ends within this time; 0 but for a process that is the only one
-- ARGV[3]  in ms: how long they are the caller's
-- Returns ms until the next lease ends (-1 when there is none), then for each user taken: user, last seen in ms.
local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local answer = {-1}
local function take(user, last_seen)
  redis.call("ZADD", KEYS[3], now + tonumber(ARGV[3]), user)
  answer[#answer + 1] = user
  answer[#answer + 1] = math.min(last_seen, now)
end
for _, user in ipairs(redis.call("ZRANGEBYSCORE", KEYS[3], "-inf", now, "LIMIT", 0, ARGV[1])) do
  take(user, tonumber(redis.call("HGET", KEYS[2], user) or now))
end
local ended = redis.call(
  "ZRANGEBYSCORE", KEYS[1], "-inf", now + tonumber(ARGV[2]), "WITHSCORES", "LIMIT", 0, ARGV[1]
)
for i = 1, #ended, 2 do
  local user = ended[i]
  -- Without a time of leaving the process died, and its last lease's end is the best that is known.
  redis.call("HSETNX", KEYS[2], user, ended[i + 1])
  redis.call("ZREM", KEYS[1], user)
  take(user, tonumber(redis.call("HGET", KEYS[2], user)))
end
local following = redis.call("ZRANGE", KEYS[1], 0, 0, "WITHSCORES")
if following[2] then
  answer[1] = math.max(0, tonumber(following[2]) - now)
end
return answer
