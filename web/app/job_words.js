/** What a job's state is called, and what there is to say about it now. */

import { known, ordinal, say } from "./language.js";

/**
 * @typedef {import("./types.js").Job} Job
 *
 * @typedef {object} Told
 * @property {string} word
 * @property {string} detail
 * @property {number | null} percent null while there is none
 * @property {boolean} begun whether the model is at it, as far as is known
 */

const SECONDS_MAX = 90;
const LATE_SHARE = 0.6;
const LATE_SECONDS = 8;
/** The bar's end is the image itself. */
const PERCENT_MAX = 97;
/** Share of what is left on the bar that is used up by the ETA. */
const AT_ETA = 0.85;
const SLOW_SECONDS = 6;
const EXCERPT_CHARS = 80;

/**
 * The state in words, `seconds` after it was heard of.
 *
 * @param {Job} job
 * @param {number} seconds
 * @returns {Told}
 */
export function told(job, seconds) {
  const begun = job.status === "generating" && startsIn(job, seconds) <= 0;
  const key = job.status === "generating" && !begun ? "job.starting" : `job.${job.status}`;
  const word = say(known(key) ? key : "job.unknown");
  return { word, detail: detail(job, seconds), percent: percent(job, seconds), begun };
}

/**
 * For the ear: one sentence about a job that has changed; null is a submit that was refused.
 *
 * @param {Job | null} job
 */
export function spoken(job) {
  if (!job) return say("job.spoken.refused");
  const key = `job.spoken.${job.status}`;
  return known(key) ? say(key, { prompt: excerpt(job.prompt) }) : "";
}

/** The start of a prompt. @param {string} prompt */
export function excerpt(prompt) {
  const line = prompt.replace(/\s+/g, " ").trim();
  const characters = [...line];
  return characters.length > EXCERPT_CHARS
    ? `${characters.slice(0, EXCERPT_CHARS - 1).join("")}…`
    : line;
}

/** Why there is no image. @param {Job} job */
function reason(job) {
  const key = `job.error.${job.error?.code ?? ""}`;
  return say(known(key) ? key : "job.error.other");
}

/** @param {Job} job @param {number} seconds */
function detail(job, seconds) {
  if (job.status === "queued") return queued(job, seconds);
  if (job.status === "generating") return generating(job, seconds);
  if (job.status === "failed") return `${reason(job)} ${say("job.not_charged")}`;
  if (job.status === "stalled") return say("job.stalled.detail");
  return job.status === "canceled" ? say("job.not_charged") : "";
}

/** @param {Job} job @param {number} seconds */
function queued({ queue }, seconds) {
  if (!queue) return "";
  const { position } = queue;
  const place =
    position <= 1 ? say("job.next") : say("job.place", { ordinal: ordinal(position), position });
  const rest = left(queue.eta_seconds, seconds, "eta.few");
  return rest ? say("job.place_and_time", { place, time: rest }) : place;
}

/** @param {Job} job @param {number} seconds */
function generating(job, seconds) {
  const rest = startsIn(job, seconds);
  if (rest > 0) return say("eta.starts", { count: rounded(rest) });
  return left(job.progress?.eta_seconds, seconds, "eta.soon");
}

/** Seconds until the model begins; 0 or less once it has. @param {Job} job @param {number} seconds */
function startsIn({ progress }, seconds) {
  return (progress?.starts_in_seconds ?? 0) - seconds;
}

/**
 * How long it takes yet; it is never over here, only late.
 *
 * @param {number | undefined} eta
 * @param {number} seconds since then
 * @param {import("./language.js").Key} soon what to say when nothing is left
 */
function left(eta, seconds, soon) {
  if (eta === undefined) return "";
  const rest = eta - seconds;
  if (rest < -(LATE_SECONDS + eta * LATE_SHARE)) return say("eta.late");
  if (rest < 2) return say(soon);
  if (rest > SECONDS_MAX) return say("eta.minutes", { count: Math.round(rest / 60) });
  return say("eta.seconds", { count: rounded(rest) });
}

/** Whole seconds, in steps while they are many. @param {number} rest above 0 */
function rounded(rest) {
  const step = rest > 20 ? 5 : 1;
  return Math.max(1, Math.round(rest / step) * step);
}

/**
 * How far it is by now: nowhere until the model begins, from then on steadily up to the ETA, then
 * ever more slowly, as the end is not known.
 *
 * @param {Job} job
 * @param {number} seconds
 */
function percent({ progress }, seconds) {
  if (!progress) return null;
  const wait = progress.starts_in_seconds ?? 0;
  const drawn = seconds - wait;
  if (drawn < 0) return 0;
  const eta = Math.max(1, progress.eta_seconds - wait);
  const late = Math.max(0, drawn - eta) / Math.max(eta, SLOW_SECONDS);
  const share = drawn < eta ? (AT_ETA * drawn) / eta : 1 - (1 - AT_ETA) * Math.exp(-late);
  const start = Math.min(progress.percent, PERCENT_MAX);
  return Math.floor(start + (PERCENT_MAX - start) * share);
}
