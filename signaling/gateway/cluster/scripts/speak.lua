-- SPDX-License-Identifier: LGPL-2.1-or-later
local key, uid, entry = ARGV[1], ARGV[2], ARGV[5]
if not held(key, uid, ARGV[3], ARGV[4]) then return {'lost'} end
if redis.call('HGET', speakers_key(key), uid) ~= entry then
  redis.call('HSET', speakers_key(key), uid, entry)
  changed(key, 'set ' .. uid .. ' ' .. entry)
end
return {'ok'}
