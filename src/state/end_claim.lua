-- Ends a claim, unless another process has taken the key over since.
-- KEYS[1]: the open keys of the request, as in claim_key.lua.
-- ARGV: owner, claim, what becomes of the key, the key or "", the key that the claim would have created or "", lifetime of
-- the hash in ms. "keep": the next claim gets it, within the whole reuse window from now on. "remove": none gets it.
-- "abandon": as if it had never been claimed, for a claim whose response nobody has read.
local owner, claim, action, key, new = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))

if action == 'abandon' then
  local entries = redis.call('HGETALL', KEYS[1])
  for i = 1, #entries, 2 do
    local since, user, used = string.match(entries[i + 1], '^(%d+) (%S+) (%S+)$')
    if user == owner and used == claim then
      if entries[i] == new then
        redis.call('HDEL', KEYS[1], new)
      else
        redis.call('HSET', KEYS[1], entries[i], since .. ' - -')
      end
    end
  end
  return 0
end

local entry = redis.call('HGET', KEYS[1], key)
if entry and string.match(entry, ' (%S+ %S+)$') ~= owner .. ' ' .. claim then return 0 end
if action == 'keep' then
  -- Also if Redis has lost it in between.
  redis.call('HSET', KEYS[1], key, now .. ' - -')
  redis.call('PEXPIRE', KEYS[1], ARGV[6])
else
  redis.call('HDEL', KEYS[1], key)
end
return 1
