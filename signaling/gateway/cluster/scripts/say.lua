-- SPDX-License-Identifier: LGPL-2.1-or-later
if not held(ARGV[1], ARGV[2], ARGV[3], ARGV[4]) then return {'lost'} end
redis.call('PUBLISH', 'ag:' .. ARGV[1], ARGV[5])
return {'ok'}
