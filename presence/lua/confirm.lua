-- Ends the taking of a user (sweep.lua): from here on they are announced, by the caller.
-- KEYS[1]  who was taken by a sweep but is not announced yet (see acquire.lua)
-- KEYS[2]  who has left but is not announced yet
-- ARGV[1]  user
-- Returns 1, or 0 when there is nothing to announce: they are back, or another process did it.
if redis.call("ZREM", KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call("HDEL", KEYS[2], ARGV[1])
return 1
