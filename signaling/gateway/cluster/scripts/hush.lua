-- SPDX-License-Identifier: LGPL-2.1-or-later
local key, uid, stream = ARGV[1], ARGV[2], ARGV[3]
local entry = redis.call('HGET', speakers_key(key), uid)
if not entry or part(entry, 2) ~= stream then return {'lost'} end
drop_speaker(key, uid)
return {'ok'}
