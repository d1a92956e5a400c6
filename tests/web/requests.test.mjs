/** Requests: retried without ever doubling anything, aborted without a trace. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Imagify } from "../../web/imagify.js";
import { lost, problem } from "./service.mjs";
import { done, listeners, quiet, setting, watched } from "./setting.mjs";

const OUTAGES = {
  "a lost answer": () => lost(),
  "a broken service": () => problem(500, "internal_error"),
  "a busy service": () => problem(503, "try_again", { "retry-after": "2" }),
  "too many requests": () => problem(429, "too_many_active_jobs", { "retry-after": "2" }),
  "a gateway's page": () => ({ status: 502, body: "<html>" }),
  "half an answer": () => ({ status: 202, body: '{"job_id": "jo' }),
};

for (const [outage, answer] of Object.entries(OUTAGES)) {
  test(`a submit is repeated after ${outage}, with its key, and is one job`, async () => {
    const { world, service, client } = await setting();
    let left = 3;
    service.answerFault = () => (left-- > 0 ? answer() : undefined);
    const job = await done(world, client.submit({ prompt: "a fox" }));
    assert.equal(service.requests.length, 4);
    assert.equal(new Set(service.requests.map(({ key }) => key)).size, 1);
    assert.match(service.requests[0].key, /^[0-9a-f]{32}$/);
    assert.deepEqual([...service.jobs.keys()], [job.job_id]);
    await quiet(world, service, client);
  });

  test(`a purchase is repeated after ${outage}, with its key, and is one payment`, async () => {
    const { world, service, client } = await setting();
    let left = 3;
    service.answerFault = () => (left-- > 0 ? answer() : undefined);
    const bought = client.buy("small", { locale: "en", bankCode: "VNBANK" });
    const payment = await done(world, bought);
    assert.equal(payment.package, "small");
    assert.equal(payment.bank_code, "VNBANK");
    assert.equal(new Set(service.requests.map(({ key }) => key)).size, 1);
    assert.equal(service.payments.size, 1);
    await quiet(world, service, client);
  });
}

test("two submits are two keys, and a key of the caller's is kept", async () => {
  const { world, service, client } = await setting();
  await done(world, client.submit({ prompt: "a" }));
  await done(world, client.submit({ prompt: "a" }));
  await done(world, client.submit({ prompt: "a" }, { key: "mine" }));
  await done(world, client.submit({ prompt: "a" }, { key: "mine" }));
  assert.equal(service.jobs.size, 3);
  assert.equal(service.requests[3].key, "mine");
  await quiet(world, service, client);
});

test("a submit that fails for good gives its key, and with that there is still one job", async () => {
  const { world, service, client } = await setting();
  let down = true;
  service.answerFault = () => (down ? lost() : undefined);
  const failed = watched(client.submit({ prompt: "a" }));
  await world.pass(60);
  assert.equal(failed.error.code, "network");
  assert.equal(failed.error.status, 0);
  assert.equal(service.requests.length, 4);
  down = false;
  await done(world, client.submit({ prompt: "a" }, { key: failed.error.key }));
  assert.equal(service.jobs.size, 1);
  await quiet(world, service, client);
});

test("a token that is refused during a submit changes no key", async () => {
  const { world, service, client } = await setting();
  world.skew = -86_400_000;
  await world.pass(3700);
  await done(world, client.submit({ prompt: "a" }));
  const keys = service.asked("POST /jobs").map(({ key }) => key);
  assert.equal(keys.length, 2);
  assert.equal(keys[0], keys[1]);
  await quiet(world, service, client);
});

test("Retry-After is waited for, and no shorter", async () => {
  const { world, service, client } = await setting();
  let left = 1;
  service.fault = () =>
    left-- > 0 ? problem(503, "try_again", { "retry-after": "7" }) : undefined;
  await done(world, client.me());
  const [first, second] = service.requests.map(({ at }) => at);
  assert.ok(second - first >= 7000 && second - first < 9000, `${second - first}`);
  await quiet(world, service, client);
});

test("a service that is long away is not waited for", async () => {
  const { world, service, client } = await setting();
  service.fault = () => problem(429, "too_many_open_payments", { "retry-after": "900" });
  const failed = watched(client.buy("small"));
  await world.pass(1);
  assert.equal(failed.error?.code, "too_many_open_payments");
  assert.equal(failed.error.retryAfterSeconds, 900);
  assert.equal(service.requests.length, 1);
  await quiet(world, service, client);
});

test("pauses grow, and differ from client to client", async () => {
  const lasts = new Set();
  for (let seed = 1; seed <= 5; seed += 1) {
    const { world, service, client } = await setting({ seed });
    service.fault = () => lost();
    await assert.rejects(done(world, client.me()), { code: "network", retryable: true });
    lasts.add(service.requests.at(-1).at - service.requests[0].at);
    await quiet(world, service, client);
  }
  assert.equal(lasts.size, 5);
});

test("a refusal is not repeated, and says what is wrong", async () => {
  const { world, service, client } = await setting();
  const errors = [{ field: "seed", message: "too large" }];
  const body = { status: 400, code: "invalid_request", detail: "See errors.", errors };
  service.fault = () => ({ status: 400, body });
  await assert.rejects(done(world, client.submit({ prompt: "a" })), {
    name: "ImagifyError",
    status: 400,
    code: "invalid_request",
    message: "See errors.",
    errors,
    retryable: false,
  });
  assert.equal(service.requests.length, 1);
  await quiet(world, service, client);
});

test("the price that nobody can pay is a 402", async () => {
  const { world, service, client } = await setting();
  service.fault = () => problem(402, "insufficient_credits");
  const failed = done(world, client.submit({ prompt: "a" }));
  await assert.rejects(failed, { status: 402, code: "insufficient_credits" });
  await quiet(world, service, client);
});

test("an answer that never comes is given up, and asked for again", async () => {
  const { world, service, client } = await setting();
  service.latency = () => (service.requests.length < 2 ? 1e9 : 10);
  await done(world, client.me(), 120);
  assert.equal(service.requests.length, 2);
  await quiet(world, service, client);
});

test("wait is asked for with Prefer", async () => {
  const { world, service, client } = await setting();
  await done(world, client.submit({ prompt: "a" }, { wait: 20 }));
  await done(world, client.submit({ prompt: "a" }));
  const [waiting, plain] = service.requests.map(({ headers }) => headers.get("prefer"));
  assert.deepEqual([waiting, plain], ["wait=20", null]);
  await quiet(world, service, client);
});

test("lists are asked for with what is given, and nothing else", async () => {
  const { world, service, client } = await setting();
  service.fault = () => ({ body: {} });
  await done(world, client.jobs({ status: "queued", cursor: "a+b", limit: 5 }));
  await done(world, client.jobs({ cursor: null }));
  await done(world, client.ledger({ limit: 7 }));
  await done(world, client.payments());
  await done(world, client.payment("IMG1"));
  assert.deepEqual(
    service.requests.map(({ what, query }) => [what, query]),
    [
      ["GET /jobs", { status: "queued", cursor: "a+b", limit: "5" }],
      ["GET /jobs", {}],
      ["GET /me/ledger", { limit: "7" }],
      ["GET /payments", {}],
      ["GET /payments/IMG1", {}],
    ],
  );
  await quiet(world, service, client);
});

test("aborting a request, or the pause before its repetition, rejects at once", async () => {
  const { world, service, client } = await setting();
  for (const fault of [() => undefined, () => lost()]) {
    service.fault = fault;
    const controller = new AbortController();
    const { signal } = controller;
    const all = [client.me({ signal }), client.submit({ prompt: "a" }, { signal })].map(watched);
    await world.pass(fault() ? 0.03 : 0.005);
    controller.abort();
    await world.settle();
    for (const each of all) assert.equal(each.error?.name, "AbortError");
    assert.equal(listeners(signal), 0);
    assert.equal(world.timers, 0);
  }
  await quiet(world, service, client);
});

test("a signal outlives many requests and gathers no listeners", async () => {
  const { world, service, client } = await setting();
  const { signal } = new AbortController();
  for (let count = 0; count < 20; count += 1) await done(world, client.me({ signal }));
  await done(world, client.signIn("a@b.c", "x", { signal }));
  assert.equal(listeners(signal), 0);
  await quiet(world, service, client);
});

test("closing ends a sign-in, and the pause before a repetition", async () => {
  const { world, service, client } = await setting();
  const after = { "retry-after": "10" };
  service.fault = ({ what }) => (what === "GET /me" ? problem(503, "busy", after) : undefined);
  const repeated = watched(client.me());
  await world.pass(0.03);
  const signingIn = watched(client.signIn("a@b.c", "x"));
  await world.settle();
  client.close();
  await world.settle();
  assert.equal(repeated.error?.code, "closed");
  assert.equal(signingIn.error?.code, "closed");
  await quiet(world, service, client);
});

test("no answer comes from a cache", async () => {
  const { world, service, client } = await setting();
  await done(world, client.me());
  assert.equal(service.requests[0].cache, "no-store");
  await quiet(world, service, client);
});

test("closing rejects what is under way, and whatever comes later", async () => {
  const { world, service, client } = await setting();
  const all = [client.me(), client.submit({ prompt: "a" }), client.subscribe("job_1")].map(watched);
  await world.settle();
  client.close();
  client.close();
  await world.settle();
  for (const each of all) assert.equal(each.error?.code, "closed");
  await assert.rejects(client.me(), { code: "closed" });
  await assert.rejects(client.subscribe("job_1"), { code: "closed" });
  await quiet(world, service, client);
});

test("load reads the configuration, and the API is where that says", async () => {
  const { world, service, client: other } = await setting();
  other.close();
  const { fetch, host, WebSocket } = service.config();
  const config = { api: "api", feed: null, cognito: { endpoint: "https://cognito.example/" } };
  service.fault = ({ what }) => (what.endsWith("config.json") ? { body: config } : undefined);
  const loading = Imagify.load("https://images.example/config.json", { fetch, host, WebSocket });
  const client = await done(world, loading);
  assert.deepEqual(await done(world, client.models()), []);
  assert.deepEqual(
    service.requests.map(({ what }) => what),
    ["GET /config.json", "GET /models"],
  );
  await quiet(world, service, client);
});

test("load says when there is no configuration", async () => {
  const { world, service } = await setting();
  service.fault = () => ({ status: 404, body: "<html>" });
  const loading = Imagify.load("https://images.example/", service.config());
  await assert.rejects(done(world, loading), { code: "no_configuration", status: 404 });
});

test("a listener that throws stops nobody", async () => {
  const { world, service, client } = await setting();
  const heard = [];
  const uncaught = [];
  const before = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.once("uncaughtException", (error) => uncaught.push(error.message));
  client.onBalance(() => {
    throw new Error("mine");
  });
  client.onBalance((balance) => heard.push(balance));
  service.fault = ({ what }) => (what === "POST /feed/tickets" ? lost() : undefined);
  await done(world, client.me());
  for (const listener of before) process.on("uncaughtException", listener);
  assert.deepEqual(heard, [service.balance]);
  assert.deepEqual(uncaught, ["mine"]);
  await quiet(world, service, client);
});
