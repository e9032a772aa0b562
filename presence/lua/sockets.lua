-- Lists the sockets of one user that have a lease.
-- KEYS[1]  the user's sockets (see acquire.lua)
-- Returns the members, device:connection.
local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
return redis.call("ZRANGEBYSCORE", KEYS[1], "(" .. now, "+inf")
