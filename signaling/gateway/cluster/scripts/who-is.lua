-- SPDX-License-Identifier: LGPL-2.1-or-later
local record = redis.call('HGET', members_key(ARGV[1]), ARGV[2])
if not record then return {'lost'} end
return {'ok', record}
