-- SPDX-License-Identifier: LGPL-2.1-or-later
local out = {'ok', redis.call('GET', 'ag:rules:v') or '0'}
local all = redis.call('HGETALL', 'ag:rules')
for i = 1, #all, 2 do
  local slash = string.find(all[i], '/', 1, true)
  out[#out + 1] = string.sub(all[i], 1, slash - 1)
  out[#out + 1] = string.sub(all[i], slash + 1)
  out[#out + 1] = part(all[i + 1], 1)
  out[#out + 1] = part(all[i + 1], 2)
end
return out
