// Talks to a listener whose header layout has no sequence, or a narrow one.
import assert from "node:assert/strict";

import { SampleClient } from "./generated.js";

const client = new SampleClient({ timeout: 20_000 });
const sent = Array.from({ length: 100 }, (_, index) => new Uint8Array([index]));
for (let round = 0; round < 3; round++) {
  assert.deepEqual(await Promise.all(sent.map((body) => client.echo(body))), sent);
}
await client.close();
console.log("done");
process.exit(0);
