/** Where images are made: the form, and beside it the stage with what comes of it. */

import { arrange, element, refill } from "../element.js";
import { excerpt } from "../job_words.js";
import { say } from "../language.js";
import { scene } from "../scene.js";
import { composer } from "./composer.js";
import { jobCard } from "./job_card.js";

/**
 * @typedef {import("../types.js").App} App
 * @typedef {import("../state.js").State} State
 */

const SHOWN = 12;
const TICK_MS = 1000;
/** From then on a submit on its way is explained. */
const SLOW_MS = 4000;
const EXAMPLES = /** @type {const} */ (["1", "2", "3", "4"]);

/** @param {App} app @param {AbortSignal} signal */
export function createView(app, signal) {
  return element(
    "div",
    { class: "create" },
    element(
      "section",
      { class: "create-form" },
      element("h1", {}, say("create.title")),
      composer(app, signal),
    ),
    stage(app, signal),
  );
}

/** @param {App} app @param {AbortSignal} signal */
function stage(app, signal) {
  const pending = element("ul", { class: "unsent" });
  const list = element("ul", { class: "stage-list", "data-testid": "jobs" });
  const empty = element("div", {});
  /** @type {Map<string, import("./job_card.js").Card>} */
  const cards = new Map();

  /** @param {State} state */
  function show(state) {
    const jobs = [...state.jobs.values()].sort(newestFirst);
    const shown = jobs.filter(({ job }, place) => place < SHOWN || !job.terminal);
    for (const known of shown) {
      const { job_id: id } = known.job;
      const card = cards.get(id) ?? jobCard(app, known);
      cards.set(id, card);
      card.update(known, state.notes.get(id));
    }
    arrange(
      list,
      shown.map(({ job }) => /** @type {Element} */ (cards.get(job.job_id)?.node)),
    );
    if (!state.jobsRead && !shown.length) refill(list, skeletons());
    empty.hidden = !state.jobsRead || shown.length > 0 || state.pending.length > 0;
  }

  refill(empty, welcome(app));
  show(app.store.state);
  showPending(app, pending);
  app.store.on((state, before) => {
    if (changed(state, before)) show(state);
    if (state.pending !== before.pending) showPending(app, pending);
  }, signal);
  const timer = setInterval(() => {
    for (const card of cards.values()) card.tick();
    if (app.store.state.pending.some(({ way }) => way === "sending")) showPending(app, pending);
  }, TICK_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
  const label = say("create.stage");
  return element(
    "section",
    { class: "stage", "aria-labelledby": "stage-title" },
    element("h2", { id: "stage-title", class: "unseen" }, label),
    pending,
    empty,
    list,
  );
}

/** @param {State} state @param {State} before */
function changed(state, before) {
  return (
    state.jobs !== before.jobs ||
    state.notes !== before.notes ||
    state.jobsRead !== before.jobsRead ||
    state.pending !== before.pending
  );
}

/** Those in flight are no exception: a list that reorders itself is hard to follow. */
/** @param {import("../state.js").Known} one @param {import("../state.js").Known} other */
function newestFirst(one, other) {
  return one.job.created_at < other.job.created_at ? 1 : -1;
}

/** @param {App} app @param {HTMLElement} list */
function showPending(app, list) {
  const items = app.store.state.pending.map((submit) =>
    element(
      "li",
      { class: "pending-job", "data-testid": "pending", "data-way": submit.way },
      element(
        "p",
        { class: "job-word" },
        say(submit.way === "sending" ? "pending.sending" : "pending.unsent"),
      ),
      element("p", { class: "job-prompt" }, excerpt(submit.request.prompt)),
      submit.way === "sending" &&
        Date.now() - submit.since > SLOW_MS &&
        element("p", { class: "job-detail" }, say("pending.slow")),
      submit.way === "unsent" && [
        element("p", { class: "job-detail" }, say("pending.explained")),
        element(
          "div",
          { class: "actions" },
          action("pending.again", () => app.jobs.resend(submit)),
          action("pending.drop", () => app.jobs.drop(submit.key)),
        ),
      ],
    ),
  );
  refill(list, items);
}

/** @param {import("../language.js").Key} key @param {() => void} click */
function action(key, click) {
  return element(
    "button",
    { type: "button", class: "button quiet", "data-testid": key.replace(".", "-"), on: { click } },
    say(key),
  );
}

function skeletons() {
  return [1, 2, 3].map(() =>
    element(
      "li",
      { class: "job awaited", "aria-hidden": "true" },
      element("div", { class: "mat skeleton" }),
    ),
  );
}

/** What a first visit shows. @param {App} app */
function welcome(app) {
  const examples = EXAMPLES.map((number) => {
    const prompt = say(`example.${number}`);
    return element(
      "li",
      {},
      element(
        "button",
        {
          type: "button",
          class: "example",
          "data-testid": "example",
          on: { click: () => app.draft.fill({ prompt }) },
        },
        prompt,
      ),
    );
  });
  return element(
    "div",
    { class: "welcome", "data-testid": "welcome", vars: { "--level": 0.85 } },
    element("div", { class: "welcome-scene" }, scene()),
    element("p", { class: "welcome-text" }, say("create.welcome")),
    element("h3", {}, say("create.examples")),
    element("ul", { class: "examples" }, examples),
  );
}
