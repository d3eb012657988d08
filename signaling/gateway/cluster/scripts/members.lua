-- SPDX-License-Identifier: LGPL-2.1-or-later
local out = {'ok'}
local all = redis.call('HGETALL', members_key(ARGV[1]))
for i = 1, #all, 2 do
  out[i + 1] = all[i]
  out[i + 2] = listed(all[i + 1])
end
return out
