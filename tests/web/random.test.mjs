/**
 * Whatever goes wrong, in whatever order: no subscription misses how its job ends, or goes back.
 *
 * Each seed is a world of an hour in which answers and pushes are slow, lost, doubled and
 * reordered, sockets are dropped or die in silence, tickets are refused, caches are stale, tokens
 * end, and the machine sleeps or has its clock set. Then the weather clears, and within the watchdog's
 * time everything must be known. IMAGIFY_SEEDS=1000 tries more of them, IMAGIFY_SEED=7 just one.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { lost, problem } from "./service.mjs";
import { quiet, setting, subscription } from "./setting.mjs";

const SEEDS = Number(process.env.IMAGIFY_SEEDS ?? 100);
const ONLY = process.env.IMAGIFY_SEED;
const JOBS = 6;
const STORM_SECONDS = 1800;
/** The longest watchdog, jittered, and a slow look at the end of it. */
const CALM_SECONDS = 120 * 1.25 + 20;
const PATHS = {
  queued: ["generating", "canceled"],
  generating: ["succeeded", "failed", "stalled", "queued"],
  stalled: ["generating", "failed"],
};

function oneOf(world, things) {
  return things[Math.floor(world.random() * things.length)];
}

/** Some worlds are mild and some are mad. */
function brew(world, service) {
  const harm = world.between(0, 0.4);
  const slowMs = oneOf(world, [50, 500, 20_000]);
  service.latency = () => world.between(1, world.chance(harm / 4) ? 40_000 : slowMs);
  service.copies = () => (world.chance(harm) ? 0 : world.chance(harm) ? 2 : 1);
  service.refuses = () => world.chance(harm);
  service.fault = ({ what, headers }) => {
    if (what === "POST /feed/tickets" && world.chance(harm)) {
      return problem(429, "too_many_connections", { "retry-after": "5" });
    }
    if (headers.get("if-none-match") && world.chance(harm / 2)) return { status: 304 };
    return world.chance(harm) ? oneOf(world, [lost(), problem(503, "try_again")]) : undefined;
  };
  service.answerFault = (_request, { body }) => {
    if (world.chance(harm / 2)) return lost();
    // A cache that answers with what was true some time ago.
    const before = body?.job_id && service.history?.get(body.job_id);
    return before && world.chance(harm / 2) ? { body: before } : undefined;
  };
}

function clear(service) {
  service.latency = () => 10;
  service.copies = () => 1;
  service.refuses = () => false;
  service.fault = () => undefined;
  service.answerFault = () => undefined;
}

/** Something happens, to a job or to the client's machine. */
async function happen(world, service) {
  const job = oneOf(world, [...service.jobs.values()]);
  const socket = oneOf(world, service.sockets);
  const act = oneOf(world, ["job", "job", "job", "move", "drop", "cut", "sleep", "clock", "event"]);
  if (act === "job" && !job.terminal) {
    const eta_seconds = Math.floor(world.between(0, 90));
    const more = {
      generating: { progress: { percent: 1, eta_seconds }, queue: null },
      queued: { queue: { position: 2, eta_seconds }, progress: null },
    };
    const status = oneOf(world, PATHS[job.status]);
    service.history.set(job.job_id, job);
    service.change(job.job_id, status, more[status]);
  }
  if (act === "move" && job.status === "queued") {
    service.jobs.set(job.job_id, { ...job, queue: { position: 1, eta_seconds: 5 } });
  }
  if (act === "drop") socket?.drop();
  if (act === "cut" && socket) socket.cut = true;
  if (act === "sleep") await world.sleep(world.between(1, 5000));
  if (act === "clock") world.skew = world.between(-1e7, 1e7);
  if (act === "event") world.happen(oneOf(world, ["online", "visibilitychange", "storage"]));
}

/** Every promise that can be checked at any time. */
function check({ updates, value }) {
  let last = 0;
  for (const [place, job] of updates.entries()) {
    assert.ok(job.version >= last, `version ${job.version} after ${last}`);
    assert.ok(!job.terminal || place === updates.length - 1, "an update after the end");
    last = job.version;
  }
  if (value) assert.deepEqual(value, updates.at(-1), "the end is the last update");
}

async function storm(seed) {
  const { world, service, client } = await setting({
    seed,
    prepare: (each) => (each.tokenSeconds = 900),
  });
  service.history = new Map();
  if (world.chance(0.9)) client.onBalance(() => {});
  brew(world, service);
  const seen = [];
  for (let count = 0; count < JOBS; count += 1) {
    const job = service.job();
    seen.push(subscription(client, job.job_id, world.chance(0.5) ? { job } : {}));
    await world.pass(world.between(0, 20));
  }
  const end = world.now + STORM_SECONDS * 1000;
  while (world.now < end) {
    await happen(world, service);
    await world.pass(world.chance(0.3) ? world.between(0, 200) : world.between(0, 5));
  }
  clear(service);
  // The last changes are made in the storm, so that their pushes are lost for good.
  for (const job of service.active)
    service.change(job.job_id, "failed", { lost: world.chance(0.5) });
  await world.pass(CALM_SECONDS);
  for (const each of seen) {
    check(each);
    assert.ok(!each.error, each.error?.stack);
    assert.equal(each.over, true, `missed, at ${each.updates.at(-1)?.status}, ${client.feedState}`);
    const [first] = each.updates;
    assert.deepEqual(each.value, service.jobs.get(first.job_id));
  }
  await quiet(world, service, client);
}

test("no storm makes a subscription miss the end of its job", async () => {
  const seeds = ONLY ? [Number(ONLY)] : Array.from({ length: SEEDS }, (_, place) => place + 1);
  for (const seed of seeds) {
    try {
      await storm(seed);
    } catch (error) {
      error.message = `IMAGIFY_SEED=${seed}: ${error.message}`;
      throw error;
    }
  }
});
