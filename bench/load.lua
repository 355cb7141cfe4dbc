-- What wrk runs: requests made beforehand, one after another, and answers looked at. Started by bench/load.py, which
-- says in the environment what to do. One thread. It measures nothing itself.
local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } timespec;
  int clock_gettime(int clock, timespec *now);
  int kill(int pid, int sig);
  int getpid(void);
]]
local SIGINT, CLOCK_MONOTONIC, FOR_EVER_MS = 2, 1, 3600000

local cycle = os.getenv("BENCH_CYCLE") == "1"
local chain = os.getenv("BENCH_CHAIN") == "1"
local expect = os.getenv("BENCH_EXPECT") or ""
local pattern = os.getenv("BENCH_FOLLOW") or ""
local think = tonumber(os.getenv("BENCH_THINK_MS") or "0")
local seconds = tonumber(os.getenv("BENCH_SECONDS"))

local clock = ffi.new("timespec")
local function now()
  ffi.C.clock_gettime(CLOCK_MONOTONIC, clock)
  return tonumber(clock.seconds) + tonumber(clock.nanoseconds) / 1e9
end

local entries, position = {}, 0
local parts = {}
local queue, first, last = {}, 1, 0
answered, wrong, followed, exhausted, elapsed, sample = 0, 0, 0, 0, 0, ""

-- A file of length, newline, that many bytes, and so on.
local function read(path)
  local file = assert(io.open(path, "rb"))
  local text, found, at = file:read("*a"), {}, 1
  file:close()
  while at <= #text do
    local stop = text:find("\n", at, true)
    local length = tonumber(text:sub(at, stop - 1))
    found[#found + 1] = text:sub(stop + 1, stop + length)
    at = stop + length + 1
  end
  return found
end

local threads = {}
function setup(thread) threads[#threads + 1] = thread end

function init(args)
  entries = read(os.getenv("BENCH_ENTRIES"))
  if pattern ~= "" then parts = read(os.getenv("BENCH_TEMPLATE")) end
end

-- The template of a request that depends on an answer: head up to the length, head after it, body before and after.
local function follow(value)
  local body = parts[3] .. value .. parts[4]
  return parts[1] .. #body .. parts[2] .. body
end

local function pop()
  if first > last then return nil end
  local value = queue[first]
  queue[first] = nil
  first = first + 1
  return value
end

local function fresh()
  if position < #entries then
    position = position + 1
    return entries[position]
  end
  if cycle then
    position = 1
    return entries[1]
  end
  return nil
end

-- wrk asks `delay` before each request. What is next is put aside here; a caller for whom nothing is left, or no time,
-- waits past the end, so that every request that was sent is answered and counted.
local aside, taken, put, began, over = {}, 0, 0, nil, false

local function choose()
  began = began or now()
  over = over or now() - began > seconds
  if chain then return not over and (fresh() or pop()) or nil end
  return pop() or not over and fresh() or nil  -- what was begun is finished
end

function delay()
  local chosen = choose()
  if not chosen then return FOR_EVER_MS end -- a caller of a chain that is empty just now is not missed
  put = put + 1
  aside[put] = chosen
  return think > 0 and math.floor(math.random() * 2 * think) or 0
end

-- The first call is wrk looking whether what comes is a request; that is not sent.
local looked = false
function request()
  if not looked then
    looked = true
    return entries[1]
  end
  taken = taken + 1
  local chosen = aside[taken]
  aside[taken] = nil
  return chosen
end

-- Everything is answered: the main thread sleeps until its time is up, or until it is interrupted.
local function finish()
  exhausted = over and 0 or 1
  ffi.C.kill(ffi.C.getpid(), SIGINT)
  wrk.thread:stop()
end

function response(status, headers, body)
  answered = answered + 1
  if status >= 400 or (expect ~= "" and not body:find(expect, 1, true)) then
    wrong = wrong + 1
    if sample == "" then sample = status .. " " .. body:sub(1, 200) end
  elseif pattern ~= "" then
    local value = body:match(pattern)
    if value then
      followed = followed + 1
      last = last + 1
      queue[last] = follow(value)
    end
  end
  elapsed = now() - began
  over = over or elapsed > seconds
  local nothing_left = over or not cycle and position == #entries
  if chain and not over then nothing_left = nothing_left and first > last end
  if answered == put and nothing_left and (chain or first > last) then finish() end
end

local function quoted(text) return '"' .. text:gsub('[%c"\\]', " ") .. '"' end

function done(summary, latency, requests)
  local thread, failed = threads[1], summary.errors
  local lost = failed.connect + failed.read + failed.write + failed.timeout
  local percentiles = {}
  for i, percent in ipairs({50, 75, 95, 99, 99.5}) do
    percentiles[i] = string.format('"%s":%.3f', percent, latency:percentile(percent) / 1000)
  end
  io.write(string.format(
    '\n{"answered":%d,"wrong":%d,"followed":%d,"lost":%d,"seconds":%.6f,"exhausted":%d,"ms":{%s},"sample":%s}\n',
    thread:get("answered"), thread:get("wrong"), thread:get("followed"), lost, thread:get("elapsed"),
    thread:get("exhausted"), table.concat(percentiles, ","), quoted(thread:get("sample"))))
end
