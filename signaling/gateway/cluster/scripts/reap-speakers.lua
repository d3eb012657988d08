-- SPDX-License-Identifier: LGPL-2.1-or-later
local key, gateway, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
if alive(gateway) then return {'alive'} end
local over = {}
local all = redis.call('HGETALL', speakers_key(key))
for i = 1, #all, 2 do
  if all[i] ~= 'v' and part(all[i + 1], 1) == gateway then over[#over + 1] = all[i] end
end
table.sort(over, function(a, b) return tonumber(a) < tonumber(b) end)
local count = math.min(#over, most)
local out = {'ok', flag(#over > most), digits(count)}
for i = 1, count do
  out[#out + 1] = over[i]
  out[#out + 1] = redis.call('HGET', members_key(key), over[i]) or ''
  drop_speaker(key, over[i])
end
return out
