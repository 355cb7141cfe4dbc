// The load generator where wrk cannot be had: autocannon, told the same things in the environment as load.lua, printing
// the same line. Slower than wrk, and on the same cores: bench/__main__.py says so, loudly.
//   load.mjs URL CALLERS SECONDS
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.PEER_MODULES}/`);
const autocannon = require('autocannon');
const [url, callers, seconds] = process.argv.slice(2);
const told = process.env;
const cycle = told.BENCH_CYCLE === '1';
const chain = told.BENCH_CHAIN === '1';
const expected = told.BENCH_EXPECT;
// Lua's patterns as regular expressions; those in use know no more than this.
const pattern = told.BENCH_FOLLOW && new RegExp(told.BENCH_FOLLOW.replaceAll('%x', '[0-9a-f]').replaceAll('%w', 'A-Za-z0-9'));

function read(path) {
  const bytes = readFileSync(path);
  const found = [];
  for (let at = 0; at < bytes.length;) {
    const stop = bytes.indexOf(10, at);
    const length = Number(bytes.subarray(at, stop));
    found.push(bytes.subarray(stop + 1, stop + 1 + length).toString('latin1'));
    at = stop + 1 + length;
  }
  return found;
}

const entries = read(told.BENCH_ENTRIES);
const parts = read(told.BENCH_TEMPLATE);
const queue = [];
const times = [];
let [position, sent, answered, wrong, followed, exhausted, sample] = [0, 0, 0, 0, 0, 0, ''];
const began = performance.now();

function fresh() {
  if (position === entries.length && cycle) position = 0;
  return entries[position++];
}

function next() {
  const chosen = chain ? fresh() ?? queue.shift() : queue.shift() ?? fresh();
  if (chosen) sent += 1;
  else exhausted = 1;
  return chosen ?? entries.at(-1);
}

function parsed(whole) {
  const [head, body] = whole.split(/\r\n\r\n(.*)/s);
  const [first, ...lines] = head.split('\r\n');
  const [method, path] = first.split(' ');
  const headers = Object.fromEntries(lines.map((line) => line.split(/: (.*)/s)));
  delete headers['Content-Length'];
  return { method, path, headers, body: body || undefined };
}

function onResponse(status, body) {
  if (answered === sent) return; // the answer to a request that only filled the time
  answered += 1;
  const found = pattern && body.match(pattern);
  if (status >= 400 || (expected && !body.includes(expected))) {
    wrong += 1;
    sample ||= `${status} ${body.slice(0, 200)}`;
  } else if (found) {
    followed += 1;
    const content = parts[2] + found[1] + parts[3];
    queue.push(parts[0] + content.length + parts[1] + content);
  }
}

function finish(result) {
  times.sort((a, b) => a - b);
  const at = (percent) => times[Math.min(Math.floor(times.length * percent / 100), times.length - 1)] ?? 0;
  const ms = Object.fromEntries([50, 75, 95, 99, 99.5].map((percent) => [percent, at(percent)]));
  const elapsed = (performance.now() - began) / 1000;
  const lost = result ? result.errors + result.timeouts : 0;
  const found = { answered, wrong, followed, lost, seconds: result?.duration ?? elapsed, exhausted, ms, sample };
  process.stdout.write(`\n${JSON.stringify(found)}\n`, () => process.exit(0));
}

const run = autocannon({
  url,
  connections: Number(callers),
  duration: Number(seconds),
  requests: [{ setupRequest: (request) => ({ ...request, ...parsed(next()) }), onResponse }],
}, (error, result) => {
  if (error) throw error;
  finish(result);
});
run.on('response', (_client, _status, _bytes, time) => {
  times.push(time);
  if (exhausted && answered === sent) finish(null);
});
