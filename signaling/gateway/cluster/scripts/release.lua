-- SPDX-License-Identifier: LGPL-2.1-or-later
local key, app, uid = ARGV[1], ARGV[2], ARGV[3]
local record = held(key, uid, ARGV[4], ARGV[5])
if not record then return {'lost'} end
drop_member(key, uid, record)
return {'ok', flag(end_if_empty(key, app))}
