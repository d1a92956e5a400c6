/**
 * Many clients of the feed in bad weather: reads its orders as JSON from standard input, writes its
 * figures as JSON to standard output. `benchmarks/feed.py` says what it is for.
 *
 * The sockets go through a proxy of its own, which destroys some of them every second and stops
 * reading from one.
 */

import { connect, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { Imagify } from "../web/imagify.js";

/** One in a hundred, ten times a second. */
const CUT_SHARE = 0.01;
const CUT_EACH_MS = 100;
/** So many come at once in the calm before. */
const ARRIVALS = 4;

/** Times in ms from a job's end, as the API tells it, to the first push of it on a socket. */
const pushMs = [];
let socketsOpened = 0;

/** A socket that notes when it is told the end of a job. */
class WatchedSocket extends WebSocket {
  #told = new Set();

  constructor(...args) {
    super(...args);
    this.addEventListener("open", () => {
      socketsOpened += 1;
    });
    this.addEventListener("message", ({ data }) => this.#note(JSON.parse(data)));
  }

  #note({ type, job }) {
    if (type !== "job" || !job.terminal || this.#told.has(job.job_id)) return;
    this.#told.add(job.job_id);
    pushMs.push(Date.now() - Date.parse(job.finished_at));
  }
}

/** The feed behind a proxy whose connections can be cut. */
async function openProxy(feed) {
  const { hostname, port } = new URL(feed);
  const pairs = new Set();
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    const pair = { near, far };
    pairs.add(pair);
    const end = () => {
      near.destroy();
      far.destroy();
      pairs.delete(pair);
    };
    for (const side of [near, far]) side.on("error", end).on("close", end);
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const url = new URL(feed);
  url.port = server.address().port;
  return { server, pairs, url: url.href };
}

/** Cuts some of the connections, but not the stalled one. */
function cutSome(pairs, stalled) {
  let cut = 0;
  for (const pair of pairs) {
    if (pair !== stalled && Math.random() < CUT_SHARE) {
      pair.near.destroy();
      cut += 1;
    }
  }
  return cut;
}

function median(values) {
  const ordered = [...values].sort((one, other) => one - other);
  return ordered[Math.floor(ordered.length / 2)] ?? null;
}

/** One person's clients, which share a session as the tabs of a browser do. */
async function signIn(config, { email, password }, sockets) {
  const kept = new Map();
  const storage = {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => kept.set(key, value),
    removeItem: (key) => kept.delete(key),
  };
  const make = () => new Imagify({ ...config, storage, WebSocket: WatchedSocket });
  const first = make();
  await first.signIn(email, password);
  return [first, ...Array.from({ length: sockets - 1 }, make)];
}

/** Opens the client's socket: who wants to know the balance needs one. */
function live(client) {
  return new Promise((resolve) => {
    const look = () => client.feedState === "live" && resolve(off());
    const off = client.onFeedState(look);
    client.onBalance(() => {});
    look();
  });
}

/** Submits until that is taken, always with the same key, however busy the service is. */
async function submit(client, request) {
  let key;
  for (;;) {
    try {
      return await client.submit(request, { key });
    } catch (error) {
      if (!error.retryable) throw error;
      key = error.key;
    }
  }
}

/** A person's jobs, and each of the person's clients following all of them to their ends. */
async function follow(clients, jobs) {
  const submitted = [];
  for (let n = 0; n < jobs; n += 1) {
    submitted.push(await submit(clients[0], { prompt: `a gale, no. ${n}` }));
  }
  const ends = clients.map((client) =>
    Promise.all(submitted.map(({ job_id }) => client.subscribe(job_id, { onUpdate: () => {} }))),
  );
  return Promise.all(ends);
}

const orders = JSON.parse(await text(process.stdin));
const proxy = await openProxy(orders.config.feed);
const config = { ...orders.config, feed: proxy.url };
const crowds = [];
for (const person of orders.people) crowds.push(await signIn(config, person, orders.sockets));
const clients = crowds.flat();
for (let n = 0; n < clients.length; n += ARRIVALS) {
  await Promise.all(clients.slice(n, n + ARRIVALS).map(live));
}
let cut = 0;
let most = 0;
let stalled = null;
const weather = setInterval(() => {
  most = Math.max(most, proxy.pairs.size);
  if (stalled === null && proxy.pairs.size > 0) {
    [stalled] = proxy.pairs;
    stalled.far.pause();
  }
  cut += cutSome(proxy.pairs, stalled);
}, CUT_EACH_MS);
const ends = await Promise.all(crowds.map((clients) => follow(clients, orders.jobs)));
const ended = ends.flat(2);
clearInterval(weather);
for (const client of clients) client.close();
proxy.server.close();
for (const { near } of proxy.pairs) near.destroy();
process.stdout.write(
  JSON.stringify({
    clients: clients.length,
    sockets_at_once_max: most,
    sockets_opened: socketsOpened,
    sockets_cut: cut,
    followed: ended.length,
    ended: ended.filter((job) => job.terminal).length,
    pushes: pushMs.length,
    push_ms_median: median(pushMs),
  }),
);
