// Talks to a listener whose header layout has no sequence.
import assert from "node:assert/strict";

import { SampleClient } from "./generated.js";

const client = new SampleClient({ timeout: 10_000 });
const sent = Array.from({ length: 100 }, (_, index) => new Uint8Array([index]));
assert.deepEqual(await Promise.all(sent.map((body) => client.echo(body))), sent);
await client.close();
console.log("done");
process.exit(0);
