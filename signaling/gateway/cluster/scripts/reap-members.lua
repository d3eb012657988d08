-- SPDX-License-Identifier: LGPL-2.1-or-later
local key, app, gateway, most = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
if alive(gateway) then return {'alive'} end
-- By number.
local over = redis.call('SORT', held_key(key, gateway), 'LIMIT', 0, most + 1)
local out = {'ok', flag(#over > most), '0'}
for i = 1, math.min(#over, most) do
  local record = redis.call('HGET', members_key(key), over[i])
  out[#out + 1] = over[i]
  out[#out + 1] = record
  drop_member(key, over[i], record)
end
if #over > 0 then out[3] = flag(end_if_empty(key, app)) end
if redis.call('EXISTS', channels_key(gateway)) == 0 then redis.call('HDEL', 'ag:gws', gateway) end
return out
