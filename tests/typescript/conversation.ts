// Talks to a running daemon by the generated client, and ends with an error if anything is not as it should be.
import assert from "node:assert/strict";
import { createInterface } from "node:readline";

import { ConnectionClosed, EncodingError, ErrorReply, SampleClient, TimeoutError } from "./generated.js";
import type { Everything } from "./generated.js";

const pushed: [number | bigint, string][] = [];
const logins: string[] = [];
const client = new SampleClient({
  onConnect: async (connection) => {
    logins.push((await connection.greet({ name: "login" })).text);
  },
  timeout: 10_000,
  heartbeat: 50,
  onPush: (id, body) => pushed.push([id, new TextDecoder().decode(body)]),
});

const everything: Everything = {
  flag: true,
  count: -5,
  small: 127,
  large: 2n ** 64n - 1n,
  ratio: 0.25,
  text: "#tëxt 😀",
  data: new Uint8Array([0, 255, 128]),
  when: "2026-01-31T12:30:00",
  zoned: new Date(Date.UTC(2026, 0, 31, 12, 30, 15, 250)),
  local: "2026-01-31T12:30:00",
  day: "2026-01-31",
  span: "PT90S",
  key: "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
  price: "19.99",
  colour: "not-red",
  level: 2,
  mode: 3,
  maybe: 7,
  numbers: [1, -1, 127, 128, -129, 65536, -32769, 2 ** 32, -(2 ** 31) - 1, Number.MAX_SAFE_INTEGER],
  pair: [1, "x".repeat(300)],
  by_name: { here: { x: 1, y: 2, label: "#" }, "##": { x: -1, y: -2, label: "" } },
  by_number: new Map([[-3, "minus three"], [70_000, "#70000"]]),
  shape: { type: "rect", corner: { x: 1, y: 2, label: "" }, size: [3, 4.5] },
  spot: { row: 4, column: 5 },
  options: { deep: true },
  person: { name: "Ann", nick: null },
  tree: { value: 1, kids: [{ value: 2, kids: [] }] },
  anything: { list: [1, "two", null, { three: 3.5 }] },
  class: "first",
  "two-words": "yes",
};

async function fails<E extends Error>(what: Promise<unknown>, kind: new (...values: never[]) => E): Promise<E> {
  const error: unknown = await what.then(
    () => new Error("it did not fail"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof kind, String(error));
  return error;
}

async function typed(): Promise<void> {
  assert.deepEqual(await client.everything(everything), everything);
  assert.deepEqual(await client.everythingJson(everything), everything);
  assert.deepEqual(await client.greet({ name: "Ann", times: 2 }), { text: "hello, Ann! hello, Ann!" });
  assert.deepEqual(await client.greet({ name: "Ann" }), { text: "hello, Ann!" });
  assert.equal(await client.shout("straße"), "STRASSE");
  assert.deepEqual(await client.delete({ type: "circle", centre: { x: 1, y: 2 }, radius: 3 }), { value: 3, kids: [] });
  const large = new Uint8Array(300_000).map((_, index) => index % 251);
  assert.deepEqual(await client.echo(large), large);
  await client.forget({ x: 1, y: 2 });
}

async function streams(): Promise<void> {
  const counted: number[] = [];
  for await (const one of client.count(1000, 500)) counted.push(one);
  assert.deepEqual(counted, Array.from({ length: 1000 }, (_, index) => index));
  for await (const one of client.count(1000)) if (one === 10) break;
}

async function wrong(): Promise<void> {
  const refused = await fails(client.refuse(), ErrorReply);
  assert.deepEqual([refused.code, refused.text, refused.messageId], [1007, "not today", 19]);
  const bad = await fails(client.greet({ name: "Ann", times: 11 }), ErrorReply);
  assert.equal(bad.code, 2);
  assert.match(bad.message, /^error 2 \(bad body\): .*times/);
  const unknown = await fails(client.callRaw(999, new Uint8Array()), ErrorReply);
  assert.equal(unknown.message.startsWith("error 1 (unknown message ID)"), true);
  const missing = await fails(client.greet({} as never), EncodingError);
  assert.equal(missing.message, "body.name is missing");
  const cut = await fails(client.everything({ ...everything, tree: { value: 1.5 } }), EncodingError);
  assert.match(cut.message, /body\.tree\.value: a whole number of at most 53 bits is needed, not number 1\.5/);
  await fails(client.silent(undefined, { timeout: 50 }), TimeoutError);
}

async function many(): Promise<void> {
  const sent = Array.from({ length: 500 }, (_, index) => new Uint8Array([index & 255, index >> 8]));
  assert.deepEqual(await Promise.all(sent.map((body) => client.echo(body))), sent);
  await client.push();
  assert.deepEqual(pushed, [[99, "pushed"]]);
  await new Promise((resolve) => setTimeout(resolve, 1500)); // longer than the daemon's patience: heartbeats keep it
}

async function loginsThatFail(): Promise<void> {
  const refused = new SampleClient({ onConnect: (connection) => connection.refuse() });
  assert.equal((await fails(refused.greet({ name: "Ann" }), ErrorReply)).code, 1007);
  const itself: SampleClient = new SampleClient({ timeout: 300, onConnect: () => itself.greet({ name: "Ann" }) });
  assert.equal((await fails(itself.greet({ name: "Ann" }), TimeoutError)).message, "onConnect was not done within 300 ms");
}

await client.connect();
assert.deepEqual(logins, ["hello, login!"]);
await typed();
await streams();
await wrong();
await many();
await loginsThatFail();
assert.equal(logins.length, 1);
console.log("ready");
for await (const _ of createInterface({ input: process.stdin })) {
  assert.deepEqual(await client.greet({ name: "again" }), { text: "hello, again!" });
  assert.equal(logins.length, 2);
  break;
}
await client.close();
await fails(client.echo(), ConnectionClosed);
console.log("done");
process.exit(0);
