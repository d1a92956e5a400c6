/** The feed: one socket for all, there when it is needed, made anew before anybody misses it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { lost, problem } from "./service.mjs";
import { done, quiet, setting, subscription, watched } from "./setting.mjs";

test("one socket and one ticket serve every subscription and the balance", async () => {
  const { world, service, client } = await setting();
  const balances = [];
  client.onBalance((balance) => balances.push(balance));
  const all = [1, 2, 3].map(() => subscription(client, service.job().job_id));
  await world.pass(1);
  assert.equal(service.sockets.length, 1);
  assert.equal(service.asked("POST /feed/tickets").length, 1);
  assert.deepEqual(service.sockets[0].sent, [{ action: "refresh" }]);
  assert.deepEqual(balances, [{ available: 10, held: 0 }]);
  for (const job of service.active) service.change(job.job_id, "succeeded");
  service.push({ type: "balance", balance: { available: 4, held: 0 } });
  await world.pass(1);
  assert.ok(all.every((seen) => seen.value?.status === "succeeded"));
  assert.deepEqual(balances[1], { available: 4, held: 0 });
  await quiet(world, service, client);
});

test("me() answers are balances too", async () => {
  const { world, service, client } = await setting({ feed: null });
  const balances = [];
  const off = client.onBalance((balance) => balances.push(balance));
  await done(world, client.me());
  off();
  await done(world, client.me());
  assert.deepEqual(balances, [service.balance]);
  await quiet(world, service, client);
});

test("its states are told as they change", async () => {
  const { world, service, client } = await setting();
  const states = [];
  client.onFeedState((state) => states.push(state));
  assert.equal(client.feedState, "off");
  const { job_id } = service.job();
  const seen = subscription(client, job_id);
  await world.pass(1);
  service.fault = ({ what }) => (what === "POST /feed/tickets" ? lost() : undefined);
  service.open[0].drop();
  await world.pass(5);
  service.fault = () => undefined;
  await world.pass(60);
  service.change(job_id, "succeeded");
  await world.pass(1);
  assert.equal(seen.over, true);
  await world.pass(30);
  assert.deepEqual(states, ["connecting", "live", "connecting", "polling", "live", "off"]);
  await quiet(world, service, client);
});

test("it stays a while for the next subscription, and then nothing is left running", async () => {
  const { world, service, client } = await setting();
  for (let count = 0; count < 3; count += 1) {
    const { job_id } = service.job();
    const seen = subscription(client, job_id);
    await world.pass(1);
    service.change(job_id, "succeeded");
    await world.pass(4);
    assert.equal(seen.over, true);
  }
  assert.equal(service.sockets.length, 1);
  await world.pass(20);
  assert.equal(service.open.length, 0);
  assert.equal(world.timers, 0, "Node can exit without close()");
  await quiet(world, service, client);
});

test("a page that only shows the balance keeps it while somebody can see it", async () => {
  const { world, service, client } = await setting();
  const balances = [];
  const off = client.onBalance((balance) => balances.push(balance));
  await world.pass(300);
  assert.equal(service.open.length, 1);
  await world.hide(true);
  await world.pass(60);
  assert.equal(service.open.length, 0);
  assert.equal(world.timers, 0);
  service.balance = { available: 3, held: 0 };
  await world.hide(false);
  await world.pass(1);
  assert.deepEqual(balances.at(-1), { available: 3, held: 0 });
  off();
  await world.pass(30);
  assert.equal(service.open.length, 0);
  await quiet(world, service, client);
});

test("a hidden page still follows its jobs", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job();
  const seen = subscription(client, job_id);
  await world.pass(10);
  await world.hide(true);
  await world.pass(10);
  assert.equal(service.sockets[0].sent.length, 1, "going away is no reason to ask");
  await world.pass(900);
  assert.equal(client.feedState, "live");
  service.change(job_id, "succeeded");
  await world.pass(1);
  assert.equal(seen.value?.status, "succeeded");
  await quiet(world, service, client);
});

test("a place in line moves on the feed, though no change of the job is pushed", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job("queued", { queue: { position: 9, eta_seconds: 90 } });
  const seen = subscription(client, job_id);
  await world.pass(1);
  for (const position of [8, 7, 6]) {
    service.jobs.get(job_id).queue = { position, eta_seconds: position * 10 };
    await world.pass(16);
    assert.equal(seen.updates.at(-1).queue.position, position);
  }
  assert.equal(client.feedState, "live");
  assert.equal(service.asked(`GET /jobs/${job_id}`).length, 1, "the one at the start");
  await quiet(world, service, client);
});

test("one refresh about every 10 s serves all jobs in flight", async () => {
  const { world, service, client } = await setting();
  for (const status of ["queued", "generating", "queued"]) {
    subscription(client, service.job(status).job_id);
  }
  await world.pass(600);
  const { length } = service.sockets[0].sent;
  assert.ok(length >= 40 && length <= 61, `${length} refreshes in ten minutes`);
  await quiet(world, service, client);
});

test("a refresh is not sent for what nobody sees, or what is in flight no more", async () => {
  const { world, service, client } = await setting();
  client.onBalance(() => {});
  const { job_id } = service.job();
  subscription(client, job_id);
  await world.pass(30);
  const sent = () => service.sockets[0].sent.length;
  await world.hide(true);
  let before = sent();
  await world.pass(200);
  assert.equal(sent(), before, "the page is hidden");
  await world.hide(false);
  await world.pass(30);
  assert.ok(sent() > before + 1, "it is seen again");
  service.change(job_id, "stalled");
  await world.pass(1);
  before = sent();
  await world.pass(200);
  assert.equal(sent(), before, "the job stands still");
  await quiet(world, service, client);
});

test("keep-alives keep the socket", async () => {
  const { world, service, client } = await setting();
  client.onBalance(() => {});
  await world.pass(3600);
  assert.equal(service.sockets.length, 1);
  const { length } = service.sockets[0].sent;
  assert.ok(length >= 12 && length <= 14, `${length} refreshes in an hour`);
  await quiet(world, service, client);
});

test("before the socket is too old another takes over, and there is always one", async () => {
  const { world, service, client } = await setting();
  const states = new Set();
  subscription(client, service.job().job_id);
  await world.pass(5);
  client.onFeedState((state) => states.add(state));
  let most = 0;
  for (let count = 0; count < 7 * 3600; count += 1) {
    await world.pass(1);
    most = Math.max(most, service.open.length);
    assert.ok(service.open.length >= 1);
  }
  assert.deepEqual([...states], [], "never anything but live");
  assert.equal(service.sockets.length, 4);
  assert.equal(service.asked("POST /feed/tickets").length, 4);
  assert.ok(most <= 2);
  await quiet(world, service, client);
});

test("the old socket is relied on until the new one has answered", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job();
  const seen = subscription(client, job_id);
  await world.pass(6590);
  service.latency = () => 2000;
  for (let count = 0; count < 30 && service.open.length < 2; count += 1) await world.pass(1);
  assert.equal(service.open.length, 2, "both are open");
  service.latency = () => 10;
  service.open[1].cut = true;
  service.change(job_id, "succeeded");
  await world.pass(0.5);
  assert.equal(seen.value?.status, "succeeded", "pushed on the old one");
  await quiet(world, service, client);
});

test("a hand-over that fails is tried again, and the old socket serves on", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job();
  const seen = subscription(client, job_id);
  await world.pass(6500);
  service.fault = ({ what }) => (what === "POST /feed/tickets" ? lost() : undefined);
  await world.pass(300);
  assert.equal(client.feedState, "live");
  assert.ok(service.asked("POST /feed/tickets").length > 3);
  service.fault = () => undefined;
  await world.pass(120);
  assert.equal(service.sockets.length, 2);
  assert.equal(service.open.length, 1);
  service.change(job_id, "succeeded");
  await world.pass(1);
  assert.equal(seen.value?.status, "succeeded");
  await quiet(world, service, client);
});

test("a hand-over time of nothing makes no storm of tickets", async () => {
  const { world, service, client } = await setting();
  service.handOverSeconds = 0;
  subscription(client, service.job().job_id);
  await world.pass(600);
  assert.ok(service.asked("POST /feed/tickets").length <= 11);
  await quiet(world, service, client);
});

test("each connection has a ticket of its own, also after a refused handshake", async () => {
  const { world, service, client } = await setting();
  let refusals = 3;
  service.refuses = () => refusals-- > 0;
  subscription(client, service.job().job_id);
  await world.pass(60);
  assert.equal(client.feedState, "live");
  const tickets = service.sockets.map((socket) => socket.ticket);
  assert.equal(tickets.length, 4);
  assert.equal(new Set(tickets).size, 4);
  await quiet(world, service, client);
});

test("it comes back with growing, jittered, bounded pauses", async () => {
  const gaps = [];
  for (let seed = 1; seed <= 8; seed += 1) {
    const { world, service, client } = await setting({ seed });
    service.fault = ({ what }) =>
      what === "POST /feed/tickets" ? problem(503, "try_again") : undefined;
    subscription(client, service.job().job_id);
    await world.pass(1800);
    const times = service.asked("POST /feed/tickets").map(({ at }) => at);
    const own = times.slice(1).map((at, place) => (at - times[place]) / 1000);
    assert.ok(own[0] < 1.1 && own[1] < 2.1, "quickly at first");
    assert.ok(
      own.every((gap) => gap < 61),
      "a minute at most",
    );
    assert.ok(own.length < 120, `${own.length} tries in half an hour`);
    gaps.push(own[0], own.at(-1));
    await quiet(world, service, client);
  }
  assert.equal(new Set(gaps).size, gaps.length, "no two alike");
});

test("after a good connection the next is made at once, however bad it was before", async () => {
  const { world, service, client } = await setting();
  let down = true;
  service.fault = ({ what }) => (down && what === "POST /feed/tickets" ? lost() : undefined);
  subscription(client, service.job().job_id);
  await world.pass(900);
  down = false;
  await world.pass(200);
  for (let count = 0; count < 8; count += 1) {
    const [socket] = service.open;
    socket.drop();
    await world.pass(1.2);
    assert.equal(client.feedState, "live");
    await world.pass(120);
  }
  await quiet(world, service, client);
});

test("the old socket is lost while the new one is made: that is told, and the job polled", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job();
  subscription(client, job_id);
  await world.pass(6580);
  service.latency = () => (service.asked("POST /feed/tickets").length > 1 ? 25_000 : 10);
  while (service.asked("POST /feed/tickets").length < 2) await world.pass(1);
  await world.pass(1);
  const states = [];
  client.onFeedState((state) => states.push(state));
  const before = service.asked(`GET /jobs/${job_id}`).length;
  service.open[0].drop();
  await world.pass(1.2);
  assert.deepEqual(states, ["connecting"]);
  assert.equal(service.asked(`GET /jobs/${job_id}`).length, before + 1);
  await quiet(world, service, client);
});

test("a feed that accepts and drops at once is not stormed", async () => {
  const { world, service, client } = await setting();
  subscription(client, service.job().job_id);
  for (let count = 0; count < 600; count += 1) {
    await world.pass(1);
    for (const socket of service.open) socket.drop();
  }
  assert.ok(service.sockets.length < 60, `${service.sockets.length} in ten minutes`);
  await quiet(world, service, client);
});

test("too many connections: the service's Retry-After is kept", async () => {
  const { world, service, client } = await setting();
  service.fault = ({ what }) =>
    what === "POST /feed/tickets"
      ? problem(429, "too_many_connections", { "retry-after": "120" })
      : undefined;
  subscription(client, service.job().job_id);
  await world.pass(119);
  assert.equal(service.asked("POST /feed/tickets").length, 1);
  await quiet(world, service, client);
});

test("a socket that never answers is given up", async () => {
  const { world, service, client } = await setting();
  service.copies = ({ type }) => (type === "refreshed" ? 0 : 1);
  subscription(client, service.job().job_id);
  await world.pass(15);
  assert.notEqual(client.feedState, "live");
  assert.ok(service.sockets[0].sent.length > 1, "it was asked again");
  service.copies = () => 1;
  await world.pass(60);
  assert.equal(client.feedState, "live");
  assert.equal(service.open.length, 1);
  await quiet(world, service, client);
});

test("a handshake that hangs is given up", async () => {
  const { world, service, client } = await setting();
  subscription(client, service.job().job_id);
  await world.pass(0.025);
  assert.equal(service.sockets[0].readyState, 0);
  service.sockets[0].cut = true;
  await world.pass(60);
  assert.equal(client.feedState, "live");
  assert.equal(service.sockets.length, 2);
  await quiet(world, service, client);
});

test("a line that died in silence is found out by the next keep-alive", async () => {
  const { world, service, client } = await setting();
  client.onBalance(() => {});
  await world.pass(100);
  service.open[0].cut = true;
  await world.pass(260);
  assert.equal(client.feedState, "live");
  assert.equal(service.sockets.length, 2);
  await quiet(world, service, client);
});

test("a watchdog's find makes it ask the feed", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job("stalled");
  subscription(client, job_id);
  await world.pass(5);
  service.change(job_id, "stalled", { lost: true });
  await world.pass(60);
  assert.equal(service.sockets[0].sent.length, 2);
  await quiet(world, service, client);
});

for (const event of ["visibilitychange", "online", "resume", "pageshow"]) {
  test(`${event}: it refreshes at once`, async () => {
    const { world, service, client } = await setting();
    const { job_id } = service.job();
    const seen = subscription(client, job_id);
    await world.pass(30);
    service.change(job_id, "succeeded", { lost: true });
    world.happen(event);
    await world.pass(0.2);
    assert.equal(seen.value?.status, "succeeded");
    await quiet(world, service, client);
  });

  test(`${event}: while it is away it connects at once, and the job is looked at`, async () => {
    const { world, service, client } = await setting();
    const { job_id } = service.job();
    service.retryAfter = 50;
    service.fault = ({ what }) => (what === "POST /feed/tickets" ? lost() : undefined);
    const seen = subscription(client, job_id);
    await world.pass(300);
    service.fault = () => undefined;
    service.change(job_id, "generating");
    world.happen(event);
    await world.pass(0.2);
    assert.equal(client.feedState, "live");
    assert.equal(seen.updates.at(-1).status, "generating");
    await quiet(world, service, client);
  });
}

test("a line that does not answer a refresh is doubted long before it is given up", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job();
  const seen = subscription(client, job_id);
  await world.pass(12);
  service.open[0].cut = true;
  service.change(job_id, "succeeded");
  world.happen("visibilitychange");
  await world.pass(12);
  assert.equal(seen.value?.status, "succeeded");
  await quiet(world, service, client);
});

test("online: the line is doubted at once, and the job looked at", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job();
  const seen = subscription(client, job_id);
  await world.pass(12);
  service.open[0].cut = true;
  service.change(job_id, "succeeded");
  world.happen("online");
  await world.pass(0.2);
  assert.equal(seen.value?.status, "succeeded");
  await quiet(world, service, client);
});

test("impatience starves nobody: slow looks come to their end", async () => {
  const { world, service, client } = await setting({ feed: null });
  const { job_id } = service.job();
  const seen = subscription(client, job_id);
  await world.pass(1);
  service.change(job_id, "succeeded");
  service.latency = () => 1500;
  for (let count = 0; count < 10; count += 1) {
    world.happen("visibilitychange");
    await world.pass(1);
  }
  assert.equal(seen.value?.status, "succeeded");
  await quiet(world, service, client);
});

test("one event is one look", async () => {
  const { world, service, client } = await setting({ feed: null });
  const { job_id } = service.job();
  subscription(client, job_id);
  await world.pass(1);
  service.change(job_id, "generating");
  world.happen("visibilitychange");
  await world.pass(1);
  assert.equal(service.asked(`GET /jobs/${job_id}`).length, 2);
  await quiet(world, service, client);
});

test("a lid that was closed: on waking everything is looked at, without any event", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job();
  const seen = subscription(client, job_id);
  await world.pass(30);
  service.open[0].cut = true;
  service.change(job_id, "succeeded");
  await world.sleep(2000);
  await world.pass(6);
  assert.equal(seen.value?.status, "succeeded");
  await quiet(world, service, client);
});

test("a look that was under way when the lid was closed is not waited for", async () => {
  const { world, service, client } = await setting({ feed: null });
  const { job_id } = service.job();
  const seen = subscription(client, job_id);
  await world.pass(1);
  service.latency = () => 1e9;
  await world.pass(3);
  service.change(job_id, "succeeded");
  await world.sleep(600);
  service.latency = () => 10;
  world.happen("online");
  await world.pass(0.2);
  assert.equal(seen.value?.status, "succeeded");
  await quiet(world, service, client);
});

test("events that come together are one refresh more, and no storm of looks", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job("stalled");
  subscription(client, job_id);
  await world.pass(30);
  for (const event of ["visibilitychange", "pageshow", "resume"]) world.happen(event);
  await world.pass(1);
  assert.equal(service.sockets[0].sent.length, 2);
  assert.equal(service.asked(`GET /jobs/${job_id}`).length, 1, "the one at the start");
  await quiet(world, service, client);
});

test("a clock that is set back stops nothing", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job();
  const seen = subscription(client, job_id);
  await world.pass(30);
  world.skew = -7200_000;
  await world.pass(10);
  const before = service.sockets[0].sent.length;
  await world.pass(310);
  assert.ok(service.sockets[0].sent.length > before, "keep-alives go on");
  service.change(job_id, "succeeded", { lost: true });
  await world.pass(160);
  assert.equal(seen.value?.status, "succeeded");
  await quiet(world, service, client);
});

test("messages that it does not know, and what is no message, are ignored", async () => {
  const { world, service, client } = await setting();
  const { job_id } = service.job();
  const seen = subscription(client, job_id);
  await world.pass(1);
  const [socket] = service.open;
  for (const data of ["", "nonsense", "null", "[]", '{"type":"job"}', new ArrayBuffer(3)]) {
    socket.deliver(data);
  }
  service.push({ type: "weather", weather: "fine" });
  service.push({ message: "Internal server error", connectionId: "a", requestId: "b" });
  service.change(job_id, "succeeded");
  await world.pass(1);
  assert.equal(seen.value?.status, "succeeded");
  await quiet(world, service, client);
});

test("a WebSocket that cannot even be made is a feed that is away", async () => {
  class Forbidden {
    constructor() {
      throw new Error("SecurityError");
    }
  }
  const { world, service, client } = await setting({ WebSocket: Forbidden });
  const { job_id } = service.job();
  const seen = subscription(client, job_id);
  await world.pass(5);
  assert.equal(client.feedState, "polling");
  service.change(job_id, "succeeded");
  await world.pass(4);
  assert.equal(seen.value?.status, "succeeded");
  await quiet(world, service, client);
});

test("signing out closes it, and signing in again opens it", async () => {
  const { world, service, client } = await setting();
  client.onBalance(() => {});
  await world.pass(1);
  await done(world, client.signOut());
  assert.equal(service.open.length, 0);
  assert.equal(world.timers, 0);
  await done(world, client.signIn("x@y.z", "x"));
  await world.pass(1);
  assert.equal(client.feedState, "live");
  assert.equal(service.sockets.length, 2);
  await quiet(world, service, client);
});

for (const moment of [0.005, 0.015, 0.03, 0.045, 0.055, 0.065]) {
  test(`closing ${moment * 1000} ms into connecting leaves nothing`, async () => {
    const { world, service, client } = await setting();
    const seen = watched(client.subscribe(service.job().job_id));
    await world.pass(moment);
    await quiet(world, service, client);
    await world.pass(10);
    assert.equal(service.open.length, 0);
    assert.equal(seen.error?.code, "closed");
  });
}
