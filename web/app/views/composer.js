/** The form: a prompt, how it shall be drawn, what it costs, and the button. */

import { announce } from "../announce.js";
import { element, refill, retext } from "../element.js";
import { field, focusError, formError } from "../forms.js";
import { say } from "../language.js";
import { problem } from "../problems.js";
import { modelChoice, shapeChoice } from "./choices.js";

/**
 * @typedef {import("../types.js").App} App
 * @typedef {import("../types.js").Model} Model
 */

/** Share of a limit from which the characters are counted. */
const NEAR = 0.85;
/** The same again this soon is a double press, and means one image. */
const DOUBLE_PRESS_MS = 1200;
const APPLE = /Mac|iPhone|iPad/.test(navigator.platform);

/**
 * @param {App} app
 * @param {AbortSignal} signal
 */
export function composer(app, signal) {
  const prompt = promptField();
  const negative = negativeField();
  const seed = seedField();
  const choices = element("div", { class: "choices" });
  const more = moreOptions(negative, seed);
  const price = element("p", { class: "price", "data-testid": "price", id: "price" });
  const error = formError();
  const button = submitButton();
  const form = element(
    "form",
    { class: "composer", "aria-label": say("form.label"), "data-testid": "composer" },
    prompt.node,
    choices,
    more,
    error.node,
    element("div", { class: "send" }, button, price),
  );
  const sent = { said: "", at: 0 };
  const parts = { app, form, prompt, negative, seed, choices, more, price, error, sent };

  show(parts);
  app.draft.onFill(() => {
    show(parts);
    prompt.control.focus();
  }, signal);
  app.store.on((state, before) => {
    if (state.models !== before.models) show(parts);
    else if (state.balance !== before.balance) tellPrice(parts);
  }, signal);
  listen(parts);
  return form;
}

/** @typedef {{
 *   app: App, form: HTMLFormElement, choices: HTMLElement, more: HTMLDetailsElement,
 *   prompt: ReturnType<typeof promptField>, negative: ReturnType<typeof negativeField>,
 *   seed: ReturnType<typeof seedField>, price: HTMLElement,
 *   error: ReturnType<typeof formError>, sent: {said: string, at: number},
 * }} Parts */

/** @param {Parts} parts */
function listen(parts) {
  const { app, form, prompt, negative, seed } = parts;
  prompt.control.addEventListener("input", () => {
    app.draft.save({ prompt: prompt.control.value });
    count(parts);
  });
  negative.control.addEventListener("input", () =>
    app.draft.save({ negative: negative.control.value }),
  );
  seed.control.addEventListener("input", () => app.draft.save({ seed: seed.control.value }));
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.noValidate = true;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(parts);
  });
}

/** Show what the draft says. @param {Parts} parts */
function show(parts) {
  const { app, prompt, negative, seed, choices, more } = parts;
  const { fields } = app.draft;
  prompt.control.value = fields.prompt;
  negative.control.value = fields.negative;
  seed.control.value = fields.seed;
  more.open ||= Boolean(fields.negative || fields.seed);
  for (const one of [prompt, negative, seed]) one.complain(null);
  parts.error.complain(null);
  const { models } = app.store.state;
  const model = chosen(app);
  if (!models || !model) {
    refill(choices, element("div", { class: "skeleton choices-awaited" }));
    return;
  }
  const shapes = model.sizes.map((size) => size.aspect_ratio);
  if (!shapes.includes(fields.ratio)) app.draft.save({ ratio: shapes[0] });
  refill(
    choices,
    shapeChoice(model.sizes, app.draft.fields.ratio, (ratio) => app.draft.save({ ratio })),
    modelChoice(models, model.model, (other) => choose(parts, other)),
  );
  negative.node.hidden = !model.negative_prompt;
  tellPrice(parts);
  count(parts);
}

/** @param {Parts} parts @param {Model} model */
function choose(parts, model) {
  parts.app.draft.save({ model: model.model });
  show(parts);
  const radio = parts.form.querySelector(`input[name="model"][value="${CSS.escape(model.model)}"]`);
  /** @type {HTMLElement | null} */ (radio)?.focus();
}

/** @param {App} app @returns {Model | undefined} */
function chosen({ store, draft }) {
  const models = store.state.models ?? [];
  return (
    models.find(({ model }) => model === draft.fields.model) ??
    models.find((model) => model.default) ??
    models[0]
  );
}

/** @param {Parts} parts */
function tellPrice({ app, price }) {
  const model = chosen(app);
  const { balance } = app.store.state;
  if (!model || !balance) return;
  const cost = say("credits.count", { count: model.cost_credits });
  const missing = model.cost_credits - balance.available;
  const text = say("form.price", { cost, available: balance.available });
  if (missing <= 0) {
    refill(price, text);
    return;
  }
  const buy = element("a", { href: "#credits", "data-testid": "buy-link" }, say("form.buy"));
  refill(price, text, " ", buy);
}

/** @param {Parts} parts */
function count({ app, prompt }) {
  const most = chosen(app)?.prompt_chars_max ?? Number.POSITIVE_INFINITY;
  const length = prompt.control.value.length < most * NEAR ? 0 : [...prompt.control.value].length;
  const near = length >= most * NEAR;
  prompt.count.hidden = !near;
  prompt.count.classList.toggle("over", length > most);
  if (near) retext(prompt.count, say("form.characters", { length, most }));
}

/**
 * Submit what the form says; the form is free at once, and the answer shows with the jobs.
 *
 * @param {Parts} parts
 */
function send(parts) {
  const { app, form, error, sent } = parts;
  error.complain(null);
  const request = read(parts);
  if (!request) {
    focusError(form);
    return;
  }
  const said = JSON.stringify(request);
  if (said === sent.said && performance.now() - sent.at < DOUBLE_PRESS_MS) return;
  Object.assign(sent, { said, at: performance.now() });
  const model = chosen(app);
  const limits = { most: model?.prompt_chars_max ?? 0, seed: model?.seed_max ?? 0 };
  app.jobs.submit(request).then(
    (job) => showJob(job.job_id),
    (refusal) => refuse(parts, problem(refusal, limits)),
  );
}

/** Bring a job into sight: on a phone it is below the form. @param {string} jobId */
function showJob(jobId) {
  const card = document.querySelector(`[data-job-id="${CSS.escape(jobId)}"]`);
  card?.scrollIntoView({ block: "nearest", behavior: "smooth" });
}

/**
 * The request, or null when something in it is wrong, which then is said.
 *
 * @param {Parts} parts
 * @returns {import("../types.js").ImageRequest | null}
 */
function read({ app, prompt, negative, seed }) {
  const model = chosen(app);
  const { ratio } = app.draft.fields;
  const text = prompt.control.value.trim();
  const avoided = negative.control.value.trim();
  const number = seed.control.value.trim();
  const most = model?.prompt_chars_max ?? 0;
  prompt.complain(text ? null : say("error.prompt_empty"));
  if (most && [...text].length > most) prompt.complain(say("error.prompt_too_long", { most }));
  const seedMax = model?.seed_max ?? Number.MAX_SAFE_INTEGER;
  const fits = !number || (/^\d+$/.test(number) && Number(number) <= seedMax);
  seed.complain(fits ? null : say("error.seed_too_large", { seed: seedMax }));
  if (!text || (most && [...text].length > most) || !fits) return null;
  return {
    prompt: text,
    aspect_ratio: ratio,
    ...(model ? { model: model.model } : {}),
    ...(number ? { seed: Number(number) } : {}),
    ...(avoided && model?.negative_prompt ? { negative_prompt: avoided } : {}),
  };
}

/** @param {Parts} parts @param {import("../problems.js").Problem} refusal */
function refuse({ app, form, prompt, negative, seed, error }, refusal) {
  if (refusal.status === 402) {
    announce(refusal.text);
    app.go("credits/short");
    return;
  }
  const named = { prompt, negative_prompt: negative, seed };
  const about = named[/** @type {keyof typeof named} */ (refusal.field)];
  if (about) {
    about.complain(refusal.text);
    focusError(form);
  } else error.complain(refusal.text);
}

function promptField() {
  const control = element("textarea", {
    rows: 4,
    placeholder: say("form.placeholder"),
    "data-testid": "prompt",
    spellcheck: "true",
    enterkeyhint: "enter",
  });
  const count = element("span", { class: "count", hidden: true, "data-testid": "characters" });
  const made = field({ id: "prompt", label: say("form.prompt"), control, beside: count });
  return { ...made, count };
}

function negativeField() {
  const control = element("textarea", { rows: 2, "data-testid": "negative" });
  const hint = say("form.negative_hint");
  return field({ id: "negative", label: say("form.negative"), control, hint });
}

function seedField() {
  const control = element("input", {
    type: "text",
    inputmode: "numeric",
    autocomplete: "off",
    "data-testid": "seed",
  });
  return field({ id: "seed", label: say("form.seed"), control, hint: say("form.seed_hint") });
}

/** @param {{node: HTMLElement}} negative @param {{node: HTMLElement}} seed */
function moreOptions(negative, seed) {
  return element(
    "details",
    { class: "more-options", "data-testid": "more-options" },
    element("summary", {}, say("form.more")),
    negative.node,
    seed.node,
  );
}

function submitButton() {
  const keys = APPLE ? "⌘ ↵" : "Ctrl ↵";
  return element(
    "button",
    {
      type: "submit",
      class: "button primary",
      "data-testid": "submit",
      "aria-describedby": "price",
    },
    element("span", {}, say("form.send")),
    element("kbd", { "aria-hidden": "true" }, keys),
  );
}
