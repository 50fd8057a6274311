// One statement a webhook: Fastify and pg, on PostgreSQL. Usage: node server.js URL SECRET
import { createHmac, timingSafeEqual } from "node:crypto";
import Fastify from "fastify";
import pg from "pg";

const [store, secret] = process.argv.slice(2);
const url = new URL(store.replace("@/", "@localhost/"));
const socket = url.searchParams.get("host");
const pool = new pg.Pool({
  host: socket ?? url.hostname,
  port: Number(url.port || 5432),
  user: url.username,
  password: url.password,
  database: url.pathname.slice(1),
  max: 8,
});
await pool.query(`CREATE TABLE IF NOT EXISTS events (
  event_id TEXT PRIMARY KEY, csid BIGINT, fqn TEXT NOT NULL, at TEXT NOT NULL, body JSONB NOT NULL)`);

const server = Fastify();
server.addContentTypeParser("application/json", { parseAs: "buffer" }, (_, body, done) => done(null, body));
server.post("/webhooks/dixa", async (request, reply) => {
  const [at, given] = request.headers["x-dixa-signature"].slice(2).split(",v1=");
  const hmac = createHmac("sha256", Buffer.from(secret, "hex")).update(`${at}.`).update(request.body);
  const expected = hmac.digest();
  const signature = Buffer.from(given, "hex");
  if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
    return reply.code(401).send();
  }
  const text = request.body.toString();
  const event = JSON.parse(text);
  await pool.query({
    name: "keep",
    text: "INSERT INTO events VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    values: [event.event_id, event.data.conversation?.csid, event.event_fqn, event.event_timestamp, text],
  });
  return { outcome: "stored" };
});
await server.listen({ host: "127.0.0.1", port: 0 });
console.log(server.server.address().port);
process.on("SIGTERM", () => process.exit(0));
