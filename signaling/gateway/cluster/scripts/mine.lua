-- SPDX-License-Identifier: LGPL-2.1-or-later
local gateway, after, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
local out = {'ok', ''}
local count = 0
for _, key in ipairs(keys_after(channels_key(gateway), after, most)) do
  for _, uid in ipairs(redis.call('SMEMBERS', held_key(key, gateway))) do
    out[#out + 1] = key
    out[#out + 1] = uid
    out[#out + 1] = part(redis.call('HGET', members_key(key), uid), 2)
    count = count + 1
  end
  if count >= most then
    out[2] = key
    break
  end
end
return out
