-- SPDX-License-Identifier: LGPL-2.1-or-later
local key, app, uid, account, gateway, mid = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local adopt, rest, max_members, max_channels = ARGV[7] == '1', ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10])

local rules = redis.call('GET', 'ag:rules:v') or '0'
if ARGV[11] ~= rules then return {'rules', rules} end

if uid == '0' and account ~= '' then
  uid = redis.call('HGET', accounts_key(key), account) or '0'
end
if uid == '0' then
  for candidate in string.gmatch(ARGV[12], '[^,]+') do
    if redis.call('HEXISTS', members_key(key), candidate) == 0 then
      uid = candidate
      break
    end
  end
end
if uid == '0' then return {'again'} end

local older = redis.call('HGET', members_key(key), uid)
local count = redis.call('HLEN', members_key(key))
if not older then
  if count > 0 and max_members > 0 and count >= max_members then return {'full'} end
  if count == 0 and max_channels > 0 and redis.call('ZCARD', app_key(app)) >= max_channels then
    return {'too_many_channels'}
  end
end

local at = now_ms()
local adopted = false
if older then
  at = math.max(at, tonumber(part(older, 3)) + 1)
  adopted = adopt and part(older, 5) == account
  if adopted then mid = part(older, 2) end
  tell_gone(key, uid, older, adopted, gateway, digits(at))
  if not adopted then drop_speaker(key, uid) end
end
put_member(key, app, uid, gateway .. '|' .. mid .. '|' .. digits(at) .. '|' .. rest, older)
return {'ok', uid, mid, digits(at), older or '', flag(count == 0), flag(adopted)}
