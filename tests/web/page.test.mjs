/** What of the page needs no browser: its words, its percentages, what it has not sent yet. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { told } from "../../web/app/job_words.js";
import { Outbox } from "../../web/app/outbox.js";
import { Purchases } from "../../web/app/purchases.js";
import { ImagifyError } from "../../web/imagify.js";
import { words as en } from "../../web/words/en.js";
import { words as vi } from "../../web/words/vi.js";

const ME = "a@b.c";

function storage() {
  const kept = new Map();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => kept.set(key, value),
    removeItem: (key) => kept.delete(key),
  };
}

function generating(progress) {
  return { status: "generating", progress };
}

test("both languages have words for the same", () => {
  assert.deepEqual(Object.keys(vi).sort(), Object.keys(en).sort());
});

test("until the model begins there is no percentage, and the words say so", () => {
  const job = generating({ percent: 0, starts_in_seconds: 12, eta_seconds: 20 });
  const before = [0, 5, 11.9].map((seconds) => told(job, seconds));
  assert.deepEqual(
    before.map(({ percent, begun }) => [percent, begun]),
    [
      [0, false],
      [0, false],
      [0, false],
    ],
  );
  assert.deepEqual(
    before.map(({ detail }) => detail),
    ["Starting in about 12 s", "Starting in about 7 s", "Starting in about 1 s"],
  );
  const after = [12, 14, 16, 20, 25, 300].map((seconds) => told(job, seconds));
  assert.deepEqual(
    after.map(({ percent }) => percent),
    [0, 20, 41, 82, 89, 96],
  );
  assert.ok(after.every(({ begun, word }) => begun && word === "Drawing"));
  assert.equal(after[1].detail, "about 6 s");
});

test("a job that has begun goes on from what was told, whether it says when or not", () => {
  for (const starts of [{}, { starts_in_seconds: 0 }]) {
    const job = generating({ percent: 40, eta_seconds: 6, ...starts });
    const percents = [0, 3, 6, 60].map((seconds) => told(job, seconds).percent);
    assert.equal(percents[0], 40);
    assert.deepEqual(
      percents,
      [...percents].sort((one, other) => one - other),
    );
    assert.ok(percents.at(-1) <= 97);
  }
  assert.equal(told(generating(null), 5).percent, null);
});

test("who leaves by choice leaves nothing unsent, and takes nothing of the others", () => {
  const outbox = new Outbox(storage(), "unsent");
  outbox.put({ key: "1", email: ME, since: 0 });
  outbox.put({ key: "2", email: "x@y.z", since: 0 });
  outbox.put({ key: "3", email: ME, since: 0 });
  outbox.forget(ME);
  assert.deepEqual(outbox.of(ME), []);
  assert.equal(outbox.of("x@y.z").length, 1);
});

for (const [code, status, kept] of [
  ["signed_out", 401, 1],
  ["network", 0, 1],
  ["package_not_sold", 422, 0],
]) {
  test(`a purchase that ends with ${code} keeps its key: ${Boolean(kept)}`, async () => {
    const place = storage();
    const client = { buy: () => Promise.reject(new ImagifyError(code, "No.", { status })) };
    const purchases = new Purchases(client, { state: { email: ME } }, place);
    await assert.rejects(purchases.buy("small"), { code });
    assert.equal(new Outbox(place, "imagify.purchases").of(ME).length, kept);
  });
}
