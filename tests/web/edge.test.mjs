/** What runs in CloudFront, run here: CloudFront's runtime knows the same JavaScript, and no more. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { runInNewContext } from "node:vm";

const source = readFileSync(new URL("../../infra/edge/api.js", import.meta.url), "utf8");

/** @returns the request that goes on to the API, as plain JSON */
function passOn(uri, headers = {}, ip = "203.0.113.9") {
  const event = { viewer: { ip }, request: { method: "GET", uri, headers, querystring: {} } };
  const handler = runInNewContext(`${source}; handler`);
  return JSON.parse(JSON.stringify(handler(event)));
}

test("the API is asked for what comes after /api", () => {
  assert.equal(passOn("/api/jobs").uri, "/jobs");
  assert.equal(passOn("/api/jobs/job_1").uri, "/jobs/job_1");
  assert.equal(passOn("/api/").uri, "/");
  assert.equal(passOn("/api/api/jobs").uri, "/api/jobs");
  assert.equal(passOn("/api/jobs/a%2Fb").uri, "/jobs/a%2Fb");
});

test("the API is told who asks, whatever the caller says", () => {
  const forged = { "x-viewer-address": { value: "198.51.100.1" }, prefer: { value: "wait=20" } };
  assert.deepEqual(passOn("/api/jobs", forged, "2001:db8::5").headers, {
    "x-viewer-address": { value: "2001:db8::5" },
    prefer: { value: "wait=20" },
  });
});
