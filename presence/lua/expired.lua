-- Lists the users whose last lease has ended, without taking them.
-- KEYS[1]  the online users of the shard (see acquire.lua)
-- Returns now in ms, then the users.
local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local answer = redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", now)
table.insert(answer, 1, now)
return answer
