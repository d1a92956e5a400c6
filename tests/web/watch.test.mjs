/** A subscription never misses how its job ends, whatever happens on the way. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { gatewayRefusal, lost, problem } from "./service.mjs";
import { done, listeners, quiet, setting, subscription } from "./setting.mjs";

const statuses = ({ updates }) => updates.map((job) => job.status);

test("a job is followed on the feed, without a single poll", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job();
  const seen = subscription(client, job_id, { job: service.jobs.get(job_id) });
  assert.deepEqual(statuses(seen), ["queued"], "the first at once");
  await world.pass(1);
  assert.equal(client.feedState, "live");
  service.change(job_id, "generating");
  await world.pass(1);
  service.change(job_id, "succeeded");
  await world.pass(1);
  assert.equal(seen.value?.status, "succeeded");
  assert.deepEqual(statuses(seen), ["queued", "generating", "succeeded"]);
  assert.equal(service.asked(`GET /jobs/${job_id}`).length, 0);
  await quiet(world, service, client);
});

test("without a snapshot at hand the job is fetched at once", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job("succeeded");
  const seen = subscription(client, job_id);
  await world.pass(0.1);
  assert.equal(seen.value?.status, "succeeded");
  assert.deepEqual(statuses(seen), ["succeeded"]);
  await quiet(world, service, client);
});

test("a snapshot that is terminal already ends it without a request", async () => {
  const { world, service, client } = await setting();
  const job = service.job("failed");
  const seen = subscription(client, job.job_id, { job });
  await world.settle();
  assert.equal(seen.value, job);
  assert.equal(service.asked(`GET /jobs/${job.job_id}`).length, 0);
  await quiet(world, service, client);
});

test("statuses that nobody has heard of are told, and the end is terminal", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job();
  const seen = subscription(client, job_id, { job: service.jobs.get(job_id) });
  await world.pass(1);
  service.change(job_id, "dreaming");
  await world.pass(1);
  assert.equal(seen.value, undefined);
  service.change(job_id, "expired", { terminal: true });
  await world.pass(1);
  assert.equal(seen.value?.status, "expired");
  assert.deepEqual(statuses(seen), ["queued", "dreaming", "expired"]);
  await quiet(world, service, client);
});

test("without a feed it polls, as often as Retry-After says and a little jitter", async () => {
  const { world, service, client } = await setting({ feed: null });
  service.retryAfter = 8;
  const { job_id } = service.job();
  const seen = subscription(client, job_id);
  await world.pass(100);
  const times = service.asked(`GET /jobs/${job_id}`).map((request) => request.at);
  const gaps = times.slice(1).map((at, place) => (at - times[place]) / 1000);
  assert.ok(gaps.length >= 9, `${gaps}`);
  assert.ok(
    gaps.every((gap) => gap >= 8 && gap <= 10.1),
    `${gaps}`,
  );
  assert.ok(new Set(gaps).size > 3, "jitter");
  assert.equal(client.feedState, "polling");
  service.change(job_id, "succeeded");
  await world.pass(11);
  assert.equal(seen.value?.status, "succeeded");
  await quiet(world, service, client);
});

test("polls send the ETag, and a 304 is no news", async () => {
  const { world, service, client } = await setting({ feed: null });
  const { job_id } = service.job();
  const seen = subscription(client, job_id);
  await world.pass(7);
  const asked = service.asked(`GET /jobs/${job_id}`).slice(0, 3);
  const sent = asked.map((request) => request.headers.get("if-none-match"));
  assert.deepEqual(sent, [null, '"1-0"', '"1-0"']);
  assert.equal(seen.updates.length, 1);
  service.change(job_id, "generating");
  await world.pass(7);
  const last = service.asked(`GET /jobs/${job_id}`).at(-1);
  assert.equal(last.headers.get("if-none-match"), '"2-0"');
  await quiet(world, service, client);
});

test("a new place in the queue is news, though the version is the same", async () => {
  const { world, service, client } = await setting({ feed: null });
  const job = service.job("queued", { queue: { position: 2, eta_seconds: 4 } });
  const seen = subscription(client, job.job_id);
  await world.pass(1);
  service.jobs.set(job.job_id, { ...job, queue: { position: 1, eta_seconds: 2 } });
  await world.pass(3);
  assert.deepEqual(
    seen.updates.map((each) => each.queue.position),
    [2, 1],
  );
  await quiet(world, service, client);
});

test("a cache that is stuck on 304 is asked past", async () => {
  const { world, service, client } = await setting({ feed: null });
  const { job_id } = service.job();
  service.fault = (request) =>
    request.headers.get("if-none-match")
      ? { status: 304, more: { "retry-after": "2" } }
      : undefined;
  const seen = subscription(client, job_id);
  await world.pass(1);
  service.change(job_id, "succeeded");
  await world.pass(20);
  assert.equal(seen.value?.status, "succeeded");
  await quiet(world, service, client);
});

test("an older version after a newer one is ignored, pushed or polled", async () => {
  const { world, service, client } = await setting();
  const old = service.job();
  const seen = subscription(client, old.job_id);
  await world.pass(1);
  await world.hide(true); // it refreshes no more, so the watchdog looks
  service.change(old.job_id, "generating");
  await world.pass(1);
  service.push({ type: "job", job: old });
  service.fault = (request) =>
    request.what === `GET /jobs/${old.job_id}` ? { body: old } : undefined;
  await world.pass(90);
  assert.deepEqual(statuses(seen), ["queued", "generating"]);
  assert.ok(service.asked(`GET /jobs/${old.job_id}`).length > 1, "it was polled meanwhile");
  await quiet(world, service, client);
});

test("the same snapshot twice is told once", async () => {
  const { world, service, client } = await setting();
  service.copies = () => 2;
  const { job_id } = service.job();
  const seen = subscription(client, job_id);
  await world.pass(1);
  service.change(job_id, "generating");
  await world.pass(1);
  assert.deepEqual(statuses(seen), ["queued", "generating"]);
  await quiet(world, service, client);
});

test("a lost terminal push is found by the watchdog, soon after the job's time", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job();
  const seen = subscription(client, job_id);
  await world.pass(1);
  await world.hide(true); // no refresh finds it before
  service.change(job_id, "generating", { progress: { percent: 10, eta_seconds: 6 } });
  await world.pass(1);
  const before = service.asked(`GET /jobs/${job_id}`).length;
  await world.pass(14);
  assert.equal(service.asked(`GET /jobs/${job_id}`).length, before, "not before its time");
  service.change(job_id, "succeeded", { lost: true });
  await world.pass(15);
  assert.equal(seen.value?.status, "succeeded");
  await quiet(world, service, client);
});

test("a lost terminal push is found by a refresh before that, while somebody looks", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job("generating", { progress: { percent: 0, eta_seconds: 60 } });
  const seen = subscription(client, job_id);
  await world.pass(1);
  service.change(job_id, "succeeded", { lost: true });
  await world.pass(16);
  assert.equal(seen.value?.status, "succeeded");
  await quiet(world, service, client);
});

test("a job whose time nobody knows is looked for as well, and ever less often", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job("stalled");
  const seen = subscription(client, job_id);
  await world.pass(3600);
  const looks = service.asked(`GET /jobs/${job_id}`).length;
  assert.ok(looks >= 15 && looks <= 40, `${looks} looks in an hour`);
  service.change(job_id, "failed", { lost: true });
  await world.pass(151);
  assert.equal(seen.value?.status, "failed");
  await quiet(world, service, client);
});

test("news sets the watchdog back to looking often", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job("stalled");
  const seen = subscription(client, job_id);
  // Some time until the next keep-alive, which would find it too.
  await world.pass(3690);
  await world.hide(true); // nor will a refresh
  service.change(job_id, "generating");
  await world.pass(1);
  service.change(job_id, "failed", { lost: true });
  await world.pass(51);
  assert.equal(seen.value?.status, "failed");
  await quiet(world, service, client);
});

test("a watchdog's look that fails is repeated soon, and then all is as before", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job();
  subscription(client, job_id);
  await world.pass(1);
  await world.hide(true); // it refreshes no more, so the watchdog looks
  let left = 2;
  service.fault = ({ what }) =>
    what === `GET /jobs/${job_id}` && left-- > 0 ? problem(503, "try_again") : undefined;
  service.requests.length = 0;
  await world.pass(55);
  const times = service.asked(`GET /jobs/${job_id}`).map(({ at }) => at);
  assert.equal(times.length, 3, "two that failed and one that did not");
  await world.pass(25);
  assert.equal(service.asked(`GET /jobs/${job_id}`).length, 3, "no storm afterwards");
  await quiet(world, service, client);
});

test("when the feed is lost the job is looked at within two seconds, each client at its own moment", async () => {
  const moments = [];
  for (let seed = 1; seed <= 6; seed += 1) {
    const { world, service, client } = await setting({ seed });
    const job = service.job("queued", { queue: { position: 9, eta_seconds: 300 } });
    subscription(client, job.job_id, { job });
    await world.pass(100);
    service.fault = ({ what }) => (what === "POST /feed/tickets" ? lost() : undefined);
    const lostAt = world.now;
    service.open[0].drop();
    await world.pass(2.1);
    const [look] = service.asked(`GET /jobs/${job.job_id}`);
    assert.ok(look.at - lostAt <= 2000);
    moments.push(look.at - lostAt);
    await quiet(world, service, client);
  }
  assert.equal(new Set(moments).size, moments.length, `${moments}`);
});

test("a job that ended while the feed was away is found when it is back", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job("generating", { progress: { percent: 1, eta_seconds: 60 } });
  service.retryAfter = 60;
  const seen = subscription(client, job_id);
  await world.pass(1);
  service.open[0].drop();
  service.change(job_id, "succeeded");
  await world.pass(3);
  assert.equal(client.feedState, "live");
  assert.equal(seen.value?.status, "succeeded", "the refresh did not name it among the active");
  await quiet(world, service, client);
});

test("a connection that is dead without knowing it hides no end", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job();
  const seen = subscription(client, job_id);
  await world.pass(1);
  service.open[0].cut = true;
  service.change(job_id, "succeeded");
  await world.pass(60);
  assert.equal(seen.value?.status, "succeeded");
  await quiet(world, service, client);
});

test("while the feed is away the job is polled", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job();
  service.fault = ({ what }) =>
    what === "POST /feed/tickets" ? problem(429, "too_many_connections") : undefined;
  const seen = subscription(client, job_id);
  await world.pass(10);
  assert.equal(client.feedState, "polling");
  service.change(job_id, "succeeded");
  await world.pass(4);
  assert.equal(seen.value?.status, "succeeded");
  await quiet(world, service, client);
});

test("the first look fails for long, and it is no storm", async () => {
  const { world, service, client } = await setting({ feed: null });
  service.fault = () => lost();
  subscription(client, service.job().job_id);
  await world.pass(600);
  assert.ok(service.requests.length < 80, `${service.requests.length} tries in ten minutes`);
  await quiet(world, service, client);
});

test("when polls fail it goes on, with backoff, for as long as it takes", async () => {
  const { world, service, client } = await setting({ feed: null });
  const { job_id } = service.job();
  const seen = subscription(client, job_id);
  await world.pass(1);
  let down = true;
  const outages = [lost(), problem(503, "try_again"), { status: 502, body: "<html>" }];
  service.fault = () => (down ? outages[service.requests.length % 3] : undefined);
  service.requests.length = 0;
  await world.pass(3600);
  assert.equal(seen.over, false);
  assert.ok(service.requests.length < 400, `${service.requests.length} tries in an hour`);
  assert.ok(service.requests.length > 60, "at least one a minute");
  down = false;
  service.change(job_id, "succeeded");
  await world.pass(80);
  assert.equal(seen.value?.status, "succeeded");
  await quiet(world, service, client);
});

test("the first look fails, and it goes on", async () => {
  const { world, service, client } = await setting({ feed: null });
  const { job_id } = service.job("succeeded");
  service.fault = () => (service.requests.length < 4 ? lost() : undefined);
  const seen = subscription(client, job_id);
  await world.pass(30);
  assert.equal(seen.value?.status, "succeeded");
  await quiet(world, service, client);
});

test("a Retry-After of a refusal is kept", async () => {
  const { world, service, client } = await setting({ feed: null });
  const { job_id } = service.job();
  const seen = subscription(client, job_id);
  await world.pass(1);
  service.fault = () => problem(503, "try_again", { "retry-after": "40" });
  await world.pass(5);
  const before = service.requests.length;
  await world.pass(30);
  assert.equal(service.requests.length, before);
  service.fault = () => problem(503, "try_again", { "retry-after": "100000" });
  await world.pass(20);
  service.fault = () => undefined;
  service.change(job_id, "succeeded");
  await world.pass(160);
  assert.equal(seen.value?.status, "succeeded", "but not for hours");
  await quiet(world, service, client);
});

test("an answer that hangs is given up, and the job looked for again", async () => {
  const { world, service, client } = await setting({ feed: null });
  const { job_id } = service.job();
  const seen = subscription(client, job_id);
  await world.pass(1);
  service.latency = () => 1e9;
  await world.pass(10);
  service.latency = () => 10;
  service.change(job_id, "succeeded");
  await world.pass(20);
  assert.equal(seen.value?.status, "succeeded");
  await quiet(world, service, client);
});

test("a job that is not to be had rejects", async () => {
  const { world, service, client } = await setting();
  await assert.rejects(done(world, client.subscribe("job_other")), {
    name: "ImagifyError",
    status: 404,
    code: "not_found",
  });
  await quiet(world, service, client);
});

test("what a stranger on the way says about the job is not believed", async () => {
  const { world, service, client } = await setting({ feed: null });
  const { job_id } = service.job("succeeded");
  const strange = [
    { status: 404, body: "<html>no such page</html>" },
    { status: 200, body: "<html>sign in to the café's network</html>" },
    { status: 403, body: { message: "Forbidden" } },
  ];
  service.fault = () => strange.shift();
  const seen = subscription(client, job_id);
  await world.pass(20);
  assert.equal(seen.value?.status, "succeeded");
  await quiet(world, service, client);
});

test("aborting rejects with the reason and leaves nothing on the signal", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job();
  const controller = new AbortController();
  const seen = subscription(client, job_id, { signal: controller.signal });
  await world.pass(5);
  controller.abort();
  await world.settle();
  assert.equal(seen.error?.name, "AbortError");
  service.change(job_id, "succeeded");
  await world.pass(5);
  assert.deepEqual(statuses(seen), ["queued"], "no update afterwards");
  assert.equal(listeners(controller.signal), 0);
  await quiet(world, service, client);
});

test("nothing is told after the abort, not even in the same moment", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job();
  const controller = new AbortController();
  const seen = subscription(client, job_id, { signal: controller.signal });
  await world.pass(1);
  const job = service.change(job_id, "succeeded", { lost: true });
  controller.abort();
  service.open[0].deliver(JSON.stringify({ type: "job", job }));
  await world.settle();
  assert.deepEqual(statuses(seen), ["queued"]);
  await quiet(world, service, client);
});

test("nothing is told after the end, not even in the same moment", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job();
  const seen = subscription(client, job_id);
  await world.pass(1);
  const [socket] = service.open;
  for (const status of ["succeeded", "failed"]) {
    const job = service.change(job_id, status, { lost: true });
    socket.deliver(JSON.stringify({ type: "job", job }));
  }
  await world.settle();
  assert.deepEqual(statuses(seen), ["queued", "succeeded"]);
  assert.equal(seen.value?.status, "succeeded");
  await quiet(world, service, client);
});

test("hours of polling gather no listeners on any signal", async (context) => {
  let kept = 0;
  const { addEventListener, removeEventListener } = AbortSignal.prototype;
  context.mock.method(AbortSignal.prototype, "addEventListener", function added(...all) {
    kept += 1;
    return addEventListener.apply(this, all);
  });
  context.mock.method(AbortSignal.prototype, "removeEventListener", function removed(...all) {
    kept -= 1;
    return removeEventListener.apply(this, all);
  });
  const { world, service, client } = await setting();
  service.fault = ({ what }) => (what === "POST /feed/tickets" ? lost() : undefined);
  subscription(client, service.job().job_id);
  await world.pass(60);
  const before = kept;
  await world.pass(3600);
  assert.ok(kept - before < 5, `${kept - before} more`);
  await quiet(world, service, client);
});

test("aborting during a look ends that too", async () => {
  const { world, service, client } = await setting({ feed: null });
  const { job_id } = service.job();
  service.latency = () => 5000;
  const controller = new AbortController();
  const seen = subscription(client, job_id, { signal: controller.signal });
  await world.pass(1);
  controller.abort(new Error("enough"));
  await world.settle();
  assert.equal(seen.error?.message, "enough");
  assert.equal(world.timers, 1, "the pulse alone");
  await quiet(world, service, client);
});

test("a signal that is aborted already rejects without a request", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job();
  const seen = subscription(client, job_id, { signal: AbortSignal.abort() });
  await world.pass(1);
  assert.equal(seen.error?.name, "AbortError");
  assert.equal(service.asked(`GET /jobs/${job_id}`).length, 0);
  await quiet(world, service, client);
});

test("a signal outlives many subscriptions and gathers no listeners", async () => {
  const { world, service, client } = await setting();
  const { signal } = new AbortController();
  for (let count = 0; count < 30; count += 1) {
    const { job_id } = service.job("succeeded");
    await done(world, client.subscribe(job_id, { signal }));
  }
  assert.equal(listeners(signal), 0);
  await quiet(world, service, client);
});

test("what onUpdate throws rejects the subscription, and only that", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job();
  const other = subscription(client, job_id);
  const onUpdate = (job) => {
    if (job.status === "generating") throw new RangeError("mine");
  };
  const mine = done(world, client.subscribe(job_id, { onUpdate }));
  mine.catch(() => {});
  await world.pass(1);
  service.change(job_id, "generating");
  await assert.rejects(mine, RangeError);
  service.change(job_id, "succeeded");
  await world.pass(1);
  assert.equal(other.value?.status, "succeeded");
  await quiet(world, service, client);
});

test("signing out rejects subscriptions clearly", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job();
  const seen = subscription(client, job_id);
  await world.pass(1);
  await done(world, client.signOut());
  assert.equal(seen.error?.code, "signed_out");
  await assert.rejects(done(world, client.subscribe(job_id)), { code: "signed_out" });
  assert.equal(client.feedState, "off");
  await quiet(world, service, client);
});

test("an ID token that is refused is renewed once and the look repeated", async () => {
  const { world, service, client } = await setting({ feed: null });
  const { job_id } = service.job();
  const seen = subscription(client, job_id);
  await world.pass(1);
  // The client's clock is set back a day: it thinks that its token is young.
  world.skew = -86_400_000;
  await world.pass(3700);
  assert.equal(seen.over, false);
  assert.ok(service.asked("InitiateAuth").length >= 1);
  service.change(job_id, "succeeded");
  await world.pass(4);
  assert.equal(seen.value?.status, "succeeded");
  await quiet(world, service, client);
});

test("a token that is refused even when new rejects", async () => {
  const { world, service, client } = await setting({ feed: null });
  const { job_id } = service.job();
  service.fault = ({ what }) => (what === `GET /jobs/${job_id}` ? gatewayRefusal() : undefined);
  await assert.rejects(done(world, client.subscribe(job_id)), { code: "unauthenticated" });
  assert.equal(service.asked("InitiateAuth").length, 1);
  assert.equal(service.asked(`GET /jobs/${job_id}`).length, 2);
  await quiet(world, service, client);
});

test("a refresh token that is dead signs out and rejects subscriptions", async () => {
  const { world, service, client } = await setting();
  const told = [];
  client.onSession((email) => told.push(email));
  const { job_id } = service.job();
  const seen = subscription(client, job_id);
  await world.pass(1);
  await world.hide(true); // it refreshes no more, so the watchdog looks
  service.refreshTokens.clear();
  await world.pass(3600);
  assert.equal(seen.error?.code, "signed_out");
  assert.equal(client.email, null);
  assert.deepEqual(told, [null]);
  await quiet(world, service, client);
});

test("canceling tells who watches", async () => {
  const { world, service, client } = await setting({ feed: null });
  const { job_id } = service.job();
  const seen = subscription(client, job_id);
  await world.pass(0.1);
  await done(world, client.cancel(job_id));
  assert.equal(seen.value?.status, "canceled");
  await quiet(world, service, client);
});

test("generate submits, follows and gives the terminal job", async () => {
  const { world, service, client } = await setting();
  const updates = [];
  const outcome = done(
    world,
    client.generate({ prompt: "a fox" }, { onUpdate: (job) => updates.push(job.status) }),
  );
  await world.pass(1);
  const [job] = service.active;
  assert.equal(job.prompt, "a fox");
  service.change(job.job_id, "generating");
  await world.pass(1);
  service.change(job.job_id, "succeeded");
  assert.equal((await outcome).status, "succeeded");
  assert.deepEqual(updates, ["queued", "generating", "succeeded"]);
  await quiet(world, service, client);
});
