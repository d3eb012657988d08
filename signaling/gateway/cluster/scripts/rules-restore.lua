-- SPDX-License-Identifier: LGPL-2.1-or-later
if redis.call('EXISTS', 'ag:rules:v') == 1 then return {'lost'} end
local version = next_version('ag:rules:v')
local last = tonumber(redis.call('GET', 'ag:rules:id') or '0')
for i = 1, #ARGV, 4 do
  redis.call('HSET', 'ag:rules', ARGV[i] .. '/' .. ARGV[i + 1], ARGV[i + 2] .. '|' .. ARGV[i + 3])
  last = math.max(last, tonumber(ARGV[i + 1]))
end
redis.call('SET', 'ag:rules:id', digits(last))
return {'ok', version}
