-- Confirms that the caller announces a user whom a sweep took (sweep.lua).
-- KEYS[1]  the users whom a sweep took and who are not announced yet (see acquire.lua)
-- KEYS[2]  the users who left and are not announced yet
-- ARGV[1]  user
-- Returns 1, or 0 if there is nothing to announce: the user is back, or another process announced them.
if redis.call("ZREM", KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call("HDEL", KEYS[2], ARGV[1])
return 1
