-- Claims the newest open key of a request that no living process uses, or else a new one.
-- KEYS[1]: the open keys of the request: key -> "<time> <owner> <claim>", owner and claim "-" while no process uses it.
-- ARGV: owner, claim, new key or "", wanted key or "", reuse window, lease, lifetime of the hash; times in ms.
-- Returns {key, 1 if it was used before}, false if there is none, or "lost" if the owner has no subscription: nobody
-- would see that it is alive.
local owner, claim, new, wanted = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local window = tonumber(ARGV[5])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local alive = {}
local function is_alive(id)
  if alive[id] == nil then
    alive[id] = redis.call('PUBSUB', 'NUMSUB', 'polytomic-mcp:owner:' .. id)[2] > 0
      and redis.call('EXISTS', 'polytomic-mcp:lease:' .. id) == 1
  end
  return alive[id]
end

redis.call('SET', 'polytomic-mcp:lease:' .. owner, 1, 'PX', ARGV[6])
if not is_alive(owner) then return 'lost' end

local entries = redis.call('HGETALL', KEYS[1])
local newest, newest_since
for i = 1, #entries, 2 do
  local key = entries[i]
  local since, user, used = string.match(entries[i + 1], '^(%d+) (%S+) (%S+)$')
  if user == owner and used == claim then
    -- The same claim, whose response was lost.
    return {key, key == new and 0 or 1}
  end
  if not since then
    redis.call('HDEL', KEYS[1], key)
  elseif user == '-' or not is_alive(user) then
    since = tonumber(since)
    -- A clock may have been set back, so the future counts as well.
    if math.abs(now - since) >= window then
      redis.call('HDEL', KEYS[1], key)
    elseif (wanted == '' or wanted == key) and (not newest or since > newest_since) then
      newest, newest_since = key, since
    end
  end
end

local key = newest or (new ~= '' and new)
if not key then return false end
redis.call('HSET', KEYS[1], key, string.format('%.0f', newest_since or now) .. ' ' .. owner .. ' ' .. claim)
redis.call('PEXPIRE', KEYS[1], ARGV[7])
return {key, newest and 1 or 0}
