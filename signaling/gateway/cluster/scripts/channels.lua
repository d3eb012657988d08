-- SPDX-License-Identifier: LGPL-2.1-or-later
local app, after, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
local out = {'ok', ''}
local keys = keys_after(app_key(app), after, most + 1)
for i = 1, math.min(#keys, most) do
  out[#out + 1] = keys[i]
  out[#out + 1] = digits(redis.call('HLEN', members_key(keys[i])))
  out[#out + 1] = digits(redis.call('SCARD', broadcasters_key(keys[i])))
end
if #keys > most then out[2] = keys[most] end
return out
