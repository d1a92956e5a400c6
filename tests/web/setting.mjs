/** A client in a world of its own, and what the tests say about it. */

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { Imagify } from "../../web/imagify.js";
import { Service } from "./service.mjs";
import { World } from "./world.mjs";

export async function setting({ seed = 1, signedIn = true, prepare = () => {}, ...more } = {}) {
  const world = new World(seed);
  const service = new Service(world);
  prepare(service, world);
  const client = new Imagify(service.config(more));
  if (signedIn) await done(world, client.signIn("a@b.c", "password"));
  service.requests.length = 0;
  return { world, service, client };
}

/** Lets time pass until the promise is settled; its value, or its error thrown. */
export async function done(world, promise, seconds = 3600) {
  const outcome = watched(promise);
  const end = world.now + seconds * 1000;
  while (!outcome.over && world.now < end) await world.pass(0.05);
  assert.ok(outcome.over, `still waiting after ${seconds} s`);
  if ("error" in outcome) throw outcome.error;
  return outcome.value;
}

/** A promise that can be asked how it is doing; it is never an unhandled rejection. */
export function watched(promise) {
  const outcome = { over: false };
  promise.then(
    (value) => Object.assign(outcome, { over: true, value }),
    (error) => Object.assign(outcome, { over: true, error }),
  );
  return outcome;
}

/** A subscription with what it was told. */
export function subscription(client, jobId, options = {}) {
  const updates = [];
  const onUpdate = (job) => updates.push(job);
  const outcome = watched(client.subscribe(jobId, { ...options, onUpdate }));
  return Object.assign(outcome, { updates });
}

export function listeners(signal) {
  return getEventListeners(signal, "abort").length;
}

/** Nothing of the client's is left running. */
export async function quiet(world, service, client) {
  client.close();
  await world.settle();
  assert.equal(world.timers, 0, "a timer is left");
  assert.equal(service.open.length, 0, "a socket is left open");
  for (const name of ["online", "storage", "visibilitychange", "pageshow", "resume"]) {
    assert.equal(getEventListeners(world.window, name).length, 0, `a listener to ${name} is left`);
  }
}
