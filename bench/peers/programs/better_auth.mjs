// better-auth on node:http with PostgreSQL, e-mail and password, and mailed codes.
//   better_auth.mjs migrate PORT   makes the tables
//   better_auth.mjs serve PORT     serves
// Environment: PG…, BENCH_SECRET, BENCH_DEFAULTS=1 for its own password hash, NODE_ENV=production.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(`${process.env.PEER_MODULES}/`);
const load = (name) => import(pathToFileURL(`${process.env.PEER_MODULES}/${name}`));
const { betterAuth } = await load('better-auth/dist/index.mjs');
const { emailOTP } = await load('better-auth/dist/plugins/email-otp/index.mjs');
const { toNodeHandler } = await load('better-auth/dist/integrations/node.mjs');
const { getMigrations } = await load('better-auth/dist/db/get-migration.mjs');
const { Pool } = require('pg');
const argon2 = require('@node-rs/argon2');

const [mode, port] = process.argv.slice(2);
const cost = { memoryCost: 19456, timeCost: 2, parallelism: 1 };
const password = process.env.BENCH_DEFAULTS === '1' ? {} : {
  password: {
    hash: (text) => argon2.hash(text, cost),
    verify: ({ hash, password: text }) => argon2.verify(hash, text),
  },
};
const options = {
  appName: 'bench',
  baseURL: `http://127.0.0.1:${port}`,
  secret: process.env.BENCH_SECRET,
  database: new Pool({ max: 10 }),
  emailAndPassword: { enabled: true, ...password },
  plugins: [emailOTP({ sendVerificationOTP: async () => {}, expiresIn: 86400 })],
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { level: 'error' },
  advanced: { useSecureCookies: false },
};

if (mode === 'migrate') {
  const { runMigrations } = await getMigrations(options);
  await runMigrations();
  process.exit(0);
}
createServer(toNodeHandler(betterAuth(options))).listen(Number(port), '127.0.0.1');
