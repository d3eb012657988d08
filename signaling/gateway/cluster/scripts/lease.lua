-- SPDX-License-Identifier: LGPL-2.1-or-later
local gateway, info, ttl_ms, most = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local kept = alive(gateway)
redis.call('SET', lease_key(gateway), info, 'PX', ttl_ms)
redis.call('HSET', 'ag:gws', gateway, info)
local out = {'ok', kept and 'kept' or 'new', redis.call('GET', 'ag:rules:v') or '0', digits(now_ms()), ''}
local living, dead = 0, {}
local all = redis.call('HGETALL', 'ag:gws')
for i = 1, #all, 2 do
  if alive(all[i]) then
    living = living + 1
    out[#out + 1] = all[i]
    out[#out + 1] = all[i + 1]
  else
    local keys = keys_after(channels_key(all[i]), '', most)
    if #keys > 0 then
      dead[#dead + 1] = all[i]
      dead[#dead + 1] = table.concat(keys, ' ')
    else
      redis.call('HDEL', 'ag:gws', all[i])
    end
  end
end
for _, text in ipairs(dead) do out[#out + 1] = text end
out[5] = digits(living)
return out
