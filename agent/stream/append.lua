-- Appends a batch of events to the log of one run, or says why not. All or nothing.
--
-- KEYS  stream, fence
-- ARGV  fence, seq of the first event, over_loss (1: a hole before the first event is known and accepted), MAXLEN, ms to keep,
--       then type and data of each event. No event at all: take the log, so that writers with a lower fence are refused from here on.
--
-- Returns the last seq stored, or -1: a higher fence has taken over, or -2 - n: the events do not follow n, the last seq stored.
-- A log that is not there accepts any first seq: the database keeps the count when Valkey has lost the stream.

local fence = tonumber(ARGV[1])
if fence < tonumber(redis.call('GET', KEYS[2]) or 0) then
  return -1
end

local last = 0
local tail = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
if tail[1] then
  last = tonumber(string.match(tail[1][1], '^%d+'))
end

local seq = tonumber(ARGV[2])
if #ARGV > 5 then
  if last > 0 and seq ~= last + 1 and not (ARGV[3] == '1' and seq > last) then
    return -2 - last
  end
  for i = 6, #ARGV, 2 do
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[4], string.format('%d-0', seq), 't', ARGV[i], 'd', ARGV[i + 1])
    seq = seq + 1
  end
  last = seq - 1
end

redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return last
