-- SPDX-License-Identifier: LGPL-2.1-or-later
-- What the scripts share. What the store holds, and each operation's arguments and answer, stand in
-- operation.hpp; directory.cpp does the same in C++. All keys are made here, from the arguments.
-- Texts are never compared by < or >, which depends on the server's locale.

-- The n-th field of a record, an entry or a rule, from 1.
local function part(text, n)
  local from = 1
  for _ = 2, n do
    local bar = string.find(text, '|', from, true)
    if not bar then return '' end
    from = bar + 1
  end
  return string.sub(text, from, (string.find(text, '|', from, true) or 0) - 1)
end

-- tostring() keeps 14 digits only.
local function digits(number) return string.format('%.0f', number) end
local function flag(set) return set and '1' or '0' end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function members_key(key) return 'ag:{' .. key .. '}:m' end
local function speakers_key(key) return 'ag:{' .. key .. '}:s' end
local function accounts_key(key) return 'ag:{' .. key .. '}:a' end
local function broadcasters_key(key) return 'ag:{' .. key .. '}:b' end
local function held_key(key, gateway) return 'ag:{' .. key .. '}:g:' .. gateway end
local function lease_key(gateway) return 'ag:gw:' .. gateway end
local function channels_key(gateway) return 'ag:gw:' .. gateway .. ':c' end
local function app_key(app) return 'ag:app:' .. app end

local function alive(gateway) return redis.call('EXISTS', lease_key(gateway)) == 1 end

-- After `last`, in the order of their bytes.
local function keys_after(set, last, most)
  return redis.call('ZRANGEBYLEX', set, last == '' and '-' or '(' .. last, '+', 'LIMIT', 0, most)
end

-- The first version of a store is the time, so that none comes twice after it has lost its data.
local function next_version(name)
  local version = redis.call('INCR', name)
  if version == 1 then
    version = now_ms()
    redis.call('SET', name, digits(version))
  end
  return digits(version)
end

local function changed(key, what)
  local version = next_version('ag:v')
  local before = redis.call('HGET', speakers_key(key), 'v') or '0'
  redis.call('HSET', speakers_key(key), 'v', version)
  redis.call('PUBLISH', 'ag:' .. key, before .. ' ' .. version .. ' ' .. what)
end

local function drop_speaker(key, uid)
  local entry = redis.call('HGET', speakers_key(key), uid)
  if not entry then return end
  redis.call('HDEL', speakers_key(key), uid)
  changed(key, 'del ' .. uid .. ' ' .. part(entry, 2))
end

local function tell_gone(key, uid, record, adopted, gateway, at)
  redis.call('PUBLISH', 'ag:in:' .. part(record, 1), 'gone ' .. key .. ' ' .. uid .. ' ' ..
    part(record, 2) .. ' ' .. flag(adopted) .. ' ' .. gateway .. ' ' .. at)
end

-- What else names the member of this record.
local function unlink(key, uid, record)
  local gateway, account = part(record, 1), part(record, 5)
  redis.call('SREM', held_key(key, gateway), uid)
  if redis.call('EXISTS', held_key(key, gateway)) == 0 then
    redis.call('ZREM', channels_key(gateway), key)
  end
  redis.call('SREM', broadcasters_key(key), uid)
  if account ~= '' and redis.call('HGET', accounts_key(key), account) == uid then
    redis.call('HDEL', accounts_key(key), account)
  end
end

-- As a list of members has it: without its mutes and what it hears.
local function listed(record)
  local name = part(record, 11)
  return string.match(record, '^' .. string.rep('[^|]*|', 8)) .. '|' ..
    (name ~= '' and '|' .. name or '')
end

local function put_member(key, app, uid, record, older)
  if older then unlink(key, uid, older) end
  if not older or listed(older) ~= listed(record) then
    redis.call('PUBLISH', 'ag:m:' .. key, 'in ' .. uid .. ' ' .. listed(record))
  end
  local gateway, account = part(record, 1), part(record, 5)
  redis.call('HSET', members_key(key), uid, record)
  redis.call('SADD', held_key(key, gateway), uid)
  redis.call('ZADD', channels_key(gateway), 0, key)
  redis.call('ZADD', app_key(app), 0, key)
  if part(record, 4) == 'b' then redis.call('SADD', broadcasters_key(key), uid) end
  if account ~= '' then redis.call('HSET', accounts_key(key), account, uid) end
end

local function drop_member(key, uid, record)
  unlink(key, uid, record)
  redis.call('HDEL', members_key(key), uid)
  redis.call('PUBLISH', 'ag:m:' .. key, 'out ' .. uid .. ' ' .. part(record, 1))
  drop_speaker(key, uid)
end

-- Of a channel that had a member before. True: it has none any more.
local function end_if_empty(key, app)
  if redis.call('EXISTS', members_key(key)) == 1 then return false end
  redis.call('DEL', speakers_key(key), accounts_key(key), broadcasters_key(key))
  redis.call('ZREM', app_key(app), key)
  return true
end

-- The record, where the member is this gateway's by this mid.
local function held(key, uid, gateway, mid)
  local record = redis.call('HGET', members_key(key), uid)
  return record and part(record, 1) == gateway and part(record, 2) == mid and record
end
