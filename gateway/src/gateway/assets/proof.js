// Works for the form that holds a challenge: finds a number that makes the hash of "challenge:number" begin with so many
// zero bits. In slices of a few milliseconds, so that the page stays alive. Without it the form is sent after a wait.
"use strict";
(() => {
  const field = document.querySelector("input[data-bits]");
  if (!field) return;
  const form = field.form;
  const nonce = form.elements.namedItem("nonce");
  const note = form.querySelector("[data-working]");
  const bits = Number(field.dataset.bits);

  // SHA-256 (FIPS 180-4, section 6.2), one block at a time.
  const root = (value, power) => ((value ** power % 1) * 2 ** 32) | 0;
  const primes = [];
  for (let n = 2; primes.length < 64; n += 1) if (primes.every((p) => n % p)) primes.push(n);
  const K = Int32Array.from(primes, (p) => root(p, 1 / 3));
  const START = Int32Array.from(primes.slice(0, 8), (p) => root(p, 1 / 2));
  const w = new Int32Array(64);
  const turn = (x, n) => (x >>> n) | (x << (32 - n));

  function block(state, bytes, out) {
    for (let i = 0; i < 16; i += 1) {
      w[i] = (bytes[4 * i] << 24) | (bytes[4 * i + 1] << 16) | (bytes[4 * i + 2] << 8) | bytes[4 * i + 3];
    }
    for (let i = 16; i < 64; i += 1) {
      const s0 = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ (w[i - 15] >>> 3);
      const s1 = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ (w[i - 2] >>> 10);
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
    }
    let a = state[0], b = state[1], c = state[2], d = state[3];
    let e = state[4], f = state[5], g = state[6], h = state[7];
    for (let i = 0; i < 64; i += 1) {
      const t1 = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
      const t2 = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a; a = (t1 + t2) | 0;
    }
    out[0] = state[0] + a; out[1] = state[1] + b; out[2] = state[2] + c; out[3] = state[3] + d;
    out[4] = state[4] + e; out[5] = state[5] + f; out[6] = state[6] + g; out[7] = state[7] + h;
  }

  // "challenge:" is more than one block and, with a number behind it, less than two: the first is hashed once.
  const text = new TextEncoder().encode(`${field.value}:`);
  const first = new Int32Array(8);
  block(START, text.subarray(0, 64), first);
  const second = new Uint8Array(64);
  second.set(text.subarray(64));
  const begin = text.length - 64;
  const hash = new Int32Array(8);

  function right(number) {
    const digits = String(number);
    for (let i = 0; i < digits.length; i += 1) second[begin + i] = digits.charCodeAt(i);
    second[begin + digits.length] = 128;
    second.fill(0, begin + digits.length + 1);
    const length = 8 * (text.length + digits.length);
    second[62] = length >>> 8;
    second[63] = length & 255;
    block(first, second, hash);
    return Math.clz32(hash[0]) >= bits;
  }

  let number = 0;
  let waiting = false;
  function work() {
    const until = performance.now() + 30;
    while (performance.now() < until) {
      for (let i = 0; i < 500; i += 1, number += 1) {
        if (right(number)) {
          nonce.value = String(number);
          if (waiting) form.submit();
          return;
        }
      }
    }
    setTimeout(work, 0);
  }

  form.addEventListener("submit", (event) => {
    if (nonce.value) return;
    event.preventDefault();
    waiting = true;
    note.hidden = false;
  });
  work();
})();
