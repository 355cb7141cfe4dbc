// node oidc-provider with the Redis adapter of its documentation.
//   oidc_provider.mjs serve PORT            serves
//   oidc_provider.mjs seed PORT KIND COUNT  prints COUNT values of KIND (codes, refresh, access) as a JSON list
// Environment: REDIS_SOCKET, REDIS_PASSWORD, NODE_ENV=production.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { generateKeyPairSync } from 'node:crypto';

const require = createRequire(`${process.env.PEER_MODULES}/`);
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { default: Redis } = await load('ioredis');
const { Provider } = await load('oidc-provider');

const client = new Redis({ path: process.env.REDIS_SOCKET, password: process.env.REDIS_PASSWORD, keyPrefix: 'oidc:' });
const consumable = new Set(['AuthorizationCode', 'RefreshToken', 'DeviceCode', 'BackchannelAuthenticationRequest']);
const grantable = new Set(['AccessToken', ...consumable]);

class RedisAdapter {
  constructor(name) { this.name = name; }

  async upsert(id, payload, expiresIn) {
    const key = this.key(id);
    const multi = client.multi();
    if (consumable.has(this.name)) multi.hset(key, { payload: JSON.stringify(payload) });
    else multi.set(key, JSON.stringify(payload));
    if (expiresIn) multi.expire(key, expiresIn);
    if (grantable.has(this.name) && payload.grantId) {
      const grant = `grant:${payload.grantId}`;
      multi.rpush(grant, key);
      // If a grant has several tokens, it lives as long as the longest.
      const ttl = await client.ttl(grant);
      if (expiresIn > ttl) multi.expire(grant, expiresIn);
    }
    await multi.exec();
  }

  async find(id) {
    if (!consumable.has(this.name)) {
      const data = await client.get(this.key(id));
      return data ? JSON.parse(data) : undefined;
    }
    const { payload, ...rest } = await client.hgetall(this.key(id));
    return payload ? { ...rest, ...JSON.parse(payload) } : undefined;
  }

  async findByUid() { return undefined; }

  async findByUserCode() { return undefined; }

  async destroy(id) { await client.del(this.key(id)); }

  async revokeByGrantId(grantId) {
    const multi = client.multi();
    for (const token of await client.lrange(`grant:${grantId}`, 0, -1)) multi.del(token);
    multi.del(`grant:${grantId}`);
    await multi.exec();
  }

  async consume(id) { await client.hset(this.key(id), 'consumed', Math.floor(Date.now() / 1000)); }

  key(id) { return `${this.name}:${id}`; }
}

const [mode, port, kind, count] = process.argv.slice(2);
const jwk = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
const provider = new Provider(`http://127.0.0.1:${port}`, {
  adapter: RedisAdapter,
  clients: [{
    client_id: 'bench',
    client_secret: 'bench-secret',
    redirect_uris: ['https://app.example.com/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'client_secret_post',
    introspection_endpoint_auth_method: 'client_secret_post',
  }],
  claims: { openid: ['sub'], email: ['email'], profile: ['given_name', 'family_name'] },
  cookies: { keys: ['bench-cookie-key'] },
  features: { devInteractions: { enabled: false }, introspection: { enabled: true } },
  findAccount: (_ctx, sub) => ({
    accountId: sub,
    claims: () => ({ sub, email: `${sub}@example.com`, given_name: 'Per', family_name: 'Son' }),
  }),
  jwks: { keys: [{ ...jwk, use: 'sig', alg: 'RS256' }] },
  pkce: { required: () => false },
  rotateRefreshToken: true,
  ttl: { AuthorizationCode: 86400, AccessToken: 86400, RefreshToken: 86400, Grant: 86400, IdToken: 3600 },
});

async function seed() {
  const app = await provider.Client.find('bench');
  const one = async (number) => {
    const accountId = `user${number}`;
    // Without `openid` where tokens are issued: no ID token is signed, as ours signs none.
    const scope = kind === 'access' ? 'openid email profile' : 'email offline_access';
    const grant = new provider.Grant({ accountId, clientId: 'bench' });
    grant.addOIDCScope(`openid ${scope}`);
    const common = { accountId, client: app, grantId: await grant.save(), gty: 'authorization_code', scope };
    const now = Math.floor(Date.now() / 1000);
    if (kind === 'access') return new provider.AccessToken(common).save();
    if (kind === 'refresh') return new provider.RefreshToken({ ...common, iiat: now, rotations: 0, authTime: now }).save();
    return new provider.AuthorizationCode({
      ...common, authTime: now, redirectUri: 'https://app.example.com/callback',
    }).save();
  };
  const values = [];
  for (let start = 0; start < Number(count); start += 100) {
    const due = Math.min(100, Number(count) - start);
    values.push(...await Promise.all(Array.from({ length: due }, (_, i) => one(start + i))));
  }
  process.stdout.write(JSON.stringify(values));
  client.disconnect();
}

if (mode === 'seed') await seed();
else provider.listen(Number(port), '127.0.0.1');
