/** A job on the stage: its picture as it comes to be, its state in words, what can be done. */

import { element, refill, retext } from "../element.js";
import { icon } from "../icons.js";
import { told } from "../job_words.js";
import { known, say, share } from "../language.js";
import { downloadLink, picture, ratio } from "../picture.js";
import { scene } from "../scene.js";

/**
 * @typedef {import("../types.js").App} App
 * @typedef {import("../types.js").Job} Job
 * @typedef {import("../state.js").Known} Known
 *
 * @typedef {object} Card
 * @property {HTMLElement} node
 * @property {(known: Known, note: string | undefined) => void} update with what was heard
 * @property {() => void} tick the count-down goes on
 */

/** How light the landscape is while nothing is known of a percentage. */
const LEVELS = /** @type {Record<string, number>} */ ({
  queued: 0.04,
  stalled: 0.3,
  generating: 0.15,
});

/**
 * @param {App} app
 * @param {Known} first
 * @returns {Card}
 */
export function jobCard(app, first) {
  let latest = first;
  let status = "";
  let kind = "";
  /** How far the bar has come: it never goes back while the image is drawn. */
  let reached = 0;
  const mat = element("div", { class: "mat" });
  const word = element("span", { class: "job-word", "data-testid": "job-status" });
  const percent = element("span", { class: "job-percent", "data-testid": "job-percent" });
  const detail = element("span", { class: "job-detail", "data-testid": "job-detail" });
  const bar = progressBar();
  const note = element("p", { class: "job-note", role: "status", "data-testid": "job-note" });
  const actions = element("div", { class: "actions" });
  const node = element(
    "li",
    { class: "job", "data-testid": "job", "data-job-id": first.job.job_id },
    mat,
    element(
      "div",
      { class: "job-words" },
      element("p", { class: "job-state" }, word, " ", percent, " ", detail),
      bar.node,
      element("p", { class: "job-prompt" }, first.job.prompt),
      note,
      actions,
    ),
  );

  function tick() {
    const now = told(latest.job, (performance.now() - latest.at) / 1000);
    // Whoever begins anew, such as after a worker's death, has come nowhere yet.
    if (!now.begun) reached = 0;
    if (now.percent !== null) reached = Math.max(reached, now.percent);
    const shown = now.percent === null ? null : reached;
    retext(word, now.word);
    retext(percent, shown === null ? "" : share(shown / 100));
    retext(detail, now.detail);
    bar.set(latest.job.status === "generating" ? shown : undefined, now.detail);
    const level = reached / 100 || LEVELS[latest.job.status] || 0;
    node.style.setProperty("--level", String(level));
  }

  /** @param {Known} news @param {string | undefined} noted */
  function update(news, noted) {
    latest = news;
    const { job } = news;
    retext(note, noted && known(noted) ? say(noted) : "");
    if (job.status !== status) {
      status = job.status;
      reached = 0;
      node.dataset.status = status;
      if (kind !== kindOf(job)) refill(mat, frame(app, job));
      kind = kindOf(job);
      const focused = actions.contains(document.activeElement);
      refill(actions, buttons(app, job));
      if (focused) focusFirst(actions, node);
    }
    tick();
  }
  update(first, undefined);
  return { node, update, tick };
}

/** What its frame has in it. @param {Job} job @returns {"image" | "none" | "scene"} */
function kindOf(job) {
  if (job.image) return "image";
  return job.terminal ? "none" : "scene";
}

/** The button that had the focus is gone: on to the next. @param {HTMLElement} actions @param {HTMLElement} card */
function focusFirst(actions, card) {
  card.tabIndex = -1;
  const next = /** @type {HTMLElement | null} */ (actions.querySelector("a, button"));
  (next ?? card).focus({ preventScroll: true });
}

/** @param {App} app @param {Job} job */
function frame(app, job) {
  const vars = { "--ratio": ratio(job) };
  if (kindOf(job) === "none") return element("div", { class: "frame none", vars });
  if (!job.image) return element("div", { class: "frame", vars }, scene());
  const href = `#image/${job.job_id}`;
  const shown = picture(app, job, "eager");
  return element("a", { class: "frame", href, vars, "data-testid": "job-image" }, scene(), shown);
}

function progressBar() {
  const fill = element("div", { class: "bar-fill" });
  const node = element(
    "div",
    { class: "bar", role: "progressbar", "aria-label": say("job.progress"), hidden: true },
    fill,
  );
  node.setAttribute("aria-valuemin", "0");
  node.setAttribute("aria-valuemax", "100");

  /** @param {number | null | undefined} percent null: unknown; undefined: none @param {string} text */
  function set(percent, text) {
    node.hidden = percent === undefined;
    node.classList.toggle("unknown", percent === null);
    if (percent === undefined) return;
    if (percent === null) node.removeAttribute("aria-valuenow");
    else node.setAttribute("aria-valuenow", String(percent));
    if (text) node.setAttribute("aria-valuetext", text);
    else node.removeAttribute("aria-valuetext");
    fill.style.setProperty("--done", String((percent ?? 0) / 100));
  }
  return { node, set };
}

/** @param {App} app @param {Job} job */
function buttons(app, job) {
  if (job.image) return [downloadLink(app, job, "button quiet"), reuseButton(app, job)];
  if (job.status === "queued" && job.urls.cancel) return [cancelButton(app, job)];
  if (!job.terminal) return [];
  return [job.retryable && retryButton(app, job), reuseButton(app, job)];
}

/** @param {App} app @param {Job} job */
function cancelButton(app, job) {
  const button = element(
    "button",
    { type: "button", class: "button quiet", "data-testid": "cancel" },
    icon("close"),
    say("job.cancel"),
  );
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    await app.jobs.cancel(job.job_id);
    button.removeAttribute("aria-disabled");
  });
  return button;
}

/** @param {App} app @param {Job} job */
function retryButton(app, job) {
  const cost = job.charge.held + job.charge.settled + job.charge.released;
  const button = element(
    "button",
    { type: "button", class: "button quiet", "data-testid": "retry" },
    icon("again"),
    say("job.retry", { count: cost }),
  );
  button.addEventListener("click", () => {
    fillForm(app, job, false);
    // The form sends it, so that whatever the API says is said there.
    document
      .querySelector("form.composer")
      ?.dispatchEvent(new Event("submit", { cancelable: true, bubbles: true }));
  });
  return button;
}

/** @param {App} app @param {Job} job */
function reuseButton(app, job) {
  const button = element(
    "button",
    { type: "button", class: "button quiet", "data-testid": "reuse" },
    icon("again"),
    say("job.reuse"),
  );
  button.addEventListener("click", () => {
    fillForm(app, job, false);
    app.go("create");
  });
  return button;
}

/**
 * Put a job's request into the form.
 *
 * @param {App} app
 * @param {Job} job
 * @param {boolean} seeded the same image again, as near as the model can
 */
export function fillForm(app, job, seeded) {
  app.draft.fill({
    prompt: job.prompt,
    negative: job.negative_prompt ?? "",
    model: job.model,
    ratio: job.aspect_ratio,
    seed: seeded && job.seed !== null ? String(job.seed) : "",
  });
}
