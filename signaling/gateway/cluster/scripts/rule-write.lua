-- SPDX-License-Identifier: LGPL-2.1-or-later
local app, id, ends, text, most = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local now = now_ms()
local all = redis.call('HGETALL', 'ag:rules')
for i = 1, #all, 2 do
  if tonumber(part(all[i + 1], 1)) <= now then redis.call('HDEL', 'ag:rules', all[i]) end
end
if id == '0' then
  if redis.call('HLEN', 'ag:rules') >= most then return {'full'} end
  id = digits(redis.call('INCR', 'ag:rules:id'))
else
  local known = redis.call('HGET', 'ag:rules', app .. '/' .. id)
  if not known then return {'lost'} end
  -- 0: as it is.
  if ends == '0' then ends = part(known, 1) end
end
local version = next_version('ag:rules:v')
if text == '' then
  redis.call('HDEL', 'ag:rules', app .. '/' .. id)
  redis.call('PUBLISH', 'ag:rules', 'lift ' .. version .. ' ' .. app .. ' ' .. id)
else
  redis.call('HSET', 'ag:rules', app .. '/' .. id, ends .. '|' .. text)
  redis.call('PUBLISH', 'ag:rules', 'rule ' .. version .. ' ' .. app .. ' ' .. id .. ' ' .. ends ..
    ' ' .. text)
end
return {'ok', version, id}
