-- SPDX-License-Identifier: LGPL-2.1-or-later
local key, app, uid, gateway, mid = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local at, speaks, rest = ARGV[6], ARGV[7] == '1', ARGV[8]

-- Whether the first text comes after the second one, by their bytes.
local function above(first, second)
  for i = 1, math.min(#first, #second) do
    local a, b = string.byte(first, i), string.byte(second, i)
    if a ~= b then return a > b end
  end
  return #first > #second
end

if uid == '0' then return {} end
local created = redis.call('EXISTS', members_key(key)) == 0
local older = redis.call('HGET', members_key(key), uid)
if older then
  local old_gateway, old_mid, old_at = part(older, 1), part(older, 2), tonumber(part(older, 3))
  if old_gateway == gateway and old_mid == mid then
    -- Sent before the answer to this gateway's own later claim.
    if old_at > tonumber(at) then return {'ok', '0'} end
  else
    if old_at > tonumber(at) or (old_at == tonumber(at) and above(old_gateway, gateway)) then
      return {'lost'}
    end
    -- The stream is another one at once, or soon.
    local goes_on = speaks or old_mid == mid
    tell_gone(key, uid, older, goes_on, gateway, at)
    local entry = redis.call('HGET', speakers_key(key), uid)
    if not goes_on and entry and part(entry, 1) ~= gateway then
      drop_speaker(key, uid)
    end
  end
end
put_member(key, app, uid, gateway .. '|' .. mid .. '|' .. at .. '|' .. rest, older)
return {'ok', flag(created)}
