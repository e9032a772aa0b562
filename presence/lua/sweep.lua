-- Takes users whose last lease has ended; the caller has to confirm (confirm.lua) and announce them. Another sweep
-- takes those who are not confirmed in time, because the caller died or the answer was lost.
-- KEYS[1]  the online users of the shard (see acquire.lua)
-- KEYS[2]  the users who left and are not announced yet
-- KEYS[3]  the users whom a sweep took and who are not announced yet
-- ARGV[1]  the maximum number of users to take
-- ARGV[2]  take also users whose lease ends within this time in ms; not 0 only in a process without others
-- ARGV[3]  the time in ms that the caller has to confirm them
-- Returns ms until the next lease ends (-1 if there is none), then for each user taken: user, last seen in ms.
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
  -- Without a time of leaving, the process died. The end of the last lease is then the best estimate.
  redis.call("HSETNX", KEYS[2], user, ended[i + 1])
  redis.call("ZREM", KEYS[1], user)
  take(user, tonumber(redis.call("HGET", KEYS[2], user)))
end
local following = redis.call("ZRANGE", KEYS[1], 0, 0, "WITHSCORES")
if following[2] then
  answer[1] = math.max(0, tonumber(following[2]) - now)
end
return answer
