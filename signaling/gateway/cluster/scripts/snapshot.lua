-- SPDX-License-Identifier: LGPL-2.1-or-later
local out = {'ok', '0'}
local all = redis.call('HGETALL', speakers_key(ARGV[1]))
for i = 1, #all, 2 do
  if all[i] == 'v' then
    out[2] = all[i + 1]
  else
    out[#out + 1] = all[i]
    out[#out + 1] = all[i + 1]
  end
end
return out
