/** With nothing faked: Node's own fetch, WebSocket, clock and process. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { listen } from "./server.mjs";

const HANGS_MS = 30_000;

const run = promisify(execFile);

const program = (url) => `
  import { Imagify } from ${JSON.stringify(new URL("../../web/imagify.js", import.meta.url))};
  const imagify = await Imagify.load(${JSON.stringify(url)});
  imagify.onBalance(() => {});
  await imagify.signIn("a@b.c", "x");
  const job = await imagify.generate({ prompt: "a fox" });
  console.log(imagify.email, job.status, imagify.feedState);
  const left = imagify.subscribe("job_1").catch((error) => console.log(error.code));
  imagify.close();
  await left;
  console.log(imagify.feedState);
`;

test("a program generates an image, pushed, and after close() it ends by itself", async (context) => {
  const server = await listen();
  context.after(server.close);
  const args = ["--input-type=module", "--eval", program(server.url)];
  const { stdout, stderr } = await run(process.execPath, args, { timeout: HANGS_MS });
  assert.equal(stderr, "");
  assert.equal(stdout, "a@b.c succeeded live\nclosed\noff\n");
});
