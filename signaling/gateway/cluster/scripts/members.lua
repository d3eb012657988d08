-- SPDX-License-Identifier: LGPL-2.1-or-later
local out = {'ok'}
for i, text in ipairs(redis.call('HGETALL', members_key(ARGV[1]))) do out[i + 1] = text end
return out
