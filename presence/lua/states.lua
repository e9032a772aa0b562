-- Says which of these users are online now.
-- KEYS[1]  the online users of the shard (see acquire.lua)
-- ARGV[i]  a user
-- Returns now in ms, then 1 or 0 for each user.
local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local answer = {now}
for i, user in ipairs(ARGV) do
  answer[i + 1] = tonumber(redis.call("ZSCORE", KEYS[1], user) or "0") > now and 1 or 0
end
return answer
