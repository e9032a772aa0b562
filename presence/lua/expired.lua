-- Whose last lease has run out, without taking them.
-- KEYS[1]  who is online in this shard (see acquire.lua)
-- Returns now in ms, then the users.
local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local answer = redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", now)
table.insert(answer, 1, now)
return answer
