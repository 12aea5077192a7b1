-- KEYS: stock of the place (hash: c:<cell> and g:<colour> and p -> available), request, ledger stream, hold counter
-- ARGV: cell, colour, quantity, request id, product
local seen = redis.call('GET', KEYS[2])
if seen then return seen end
local levels = redis.call('HMGET', KEYS[1], 'c:' .. ARGV[1], 'g:' .. ARGV[2], 'p')
local available = math.min(tonumber(levels[1]) or 0, tonumber(levels[2]) or 0, tonumber(levels[3]) or 0)
local quantity = tonumber(ARGV[3])
if available < quantity then return '0 ' .. available end
redis.call('HINCRBY', KEYS[1], 'c:' .. ARGV[1], -quantity)
redis.call('HINCRBY', KEYS[1], 'g:' .. ARGV[2], -quantity)
redis.call('HINCRBY', KEYS[1], 'p', -quantity)
local hold = redis.call('INCR', KEYS[4])
redis.call('HSET', 'hold:' .. hold, 'product', ARGV[5], 'cell', ARGV[1], 'quantity', quantity, 'request', ARGV[4])
redis.call('XADD', KEYS[3], '*', 'product', ARGV[5], 'cell', ARGV[1], 'delta', quantity, 'hold', hold)
local answer = '1 ' .. (available - quantity) .. ' ' .. hold
redis.call('SET', KEYS[2], answer)
return answer
