// Makes the calls that it is told to, all at once, and prints what becomes of each: PORT CA BODY...
import { readFileSync } from "node:fs";

import { ErrorReply, SampleClient } from "./generated.js";

const [port, authority, ...bodies] = process.argv.slice(2);
const client = new SampleClient({
  port: Number(port),
  timeout: 5_000,
  heartbeat: 0,
  ...(authority ? { tls: { ca: readFileSync(authority) } } : {}),
  onConnect: async (connection) => {
    await connection.sendRaw(2, new TextEncoder().encode("login"));
    if (bodies.length === 0) throw new Error("no login");
  },
});
const calls = bodies.map((body) => client.callRaw(1, new TextEncoder().encode(body)));
if (bodies.length === 0) calls.push(client.callRaw(1, new Uint8Array()));
const ended = await Promise.allSettled(calls);
const told = ended.map((one) => {
  if (one.status === "fulfilled") return new TextDecoder().decode(one.value);
  return one.reason instanceof ErrorReply ? one.reason.code : `${one.reason.name}: ${one.reason.message}`;
});
console.log(JSON.stringify(told));
await client.close();
