-- SPDX-License-Identifier: LGPL-2.1-or-later
local out = {'ok'}
local all = redis.call('HGETALL', members_key(ARGV[1]))
for i = 1, #all, 2 do
  out[i + 1] = all[i]
  -- Without its mutes and what it hears.
  local name = part(all[i + 1], 11)
  out[i + 2] = string.match(all[i + 1], '^' .. string.rep('[^|]*|', 8)) .. '|' ..
    (name ~= '' and '|' .. name or '')
end
return out
