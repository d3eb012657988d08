-- SPDX-License-Identifier: LGPL-2.1-or-later
redis.call('PUBLISH', 'ag:rules', 'once ' .. ARGV[1] .. ' ' .. ARGV[2])
return {'ok'}
