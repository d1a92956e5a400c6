/** An image of a job: its URL expires, and is fetched anew when it has. */

import { element } from "./element.js";
import { icon } from "./icons.js";
import { excerpt } from "./job_words.js";
import { say } from "./language.js";

/**
 * @typedef {import("./types.js").App} App
 * @typedef {import("./types.js").Job} Job
 */

const ALT_CHARS = 300;
const TRIES_MAX = 2;
/** A URL this close to its end is as good as expired. */
const MARGIN_MS = 10_000;

/**
 * @param {App} app
 * @param {Job} job that has an image
 * @param {"lazy" | "eager"} [loading]
 */
export function picture(app, job, loading = "lazy") {
  const { width, height } = size(job);
  const shown = element("img", { loading, decoding: "async", width, height, class: "picture" });
  shown.alt = [...job.prompt].slice(0, ALT_CHARS).join("");
  let tries = 0;
  shown.addEventListener("load", () => {
    tries = 0;
    shown.classList.add("loaded");
  });
  shown.addEventListener("error", async () => {
    tries += 1;
    const url = tries > TRIES_MAX ? null : await freshUrl(app, job.job_id);
    if (url) shown.src = url;
  });
  shown.src = app.store.state.jobs.get(job.job_id)?.job.image?.url ?? job.image?.url ?? "";
  return shown;
}

/**
 * A link that saves the image.
 *
 * @param {App} app
 * @param {Job} job that has an image
 * @param {string} [look] its class
 */
export function downloadLink(app, job, look = "button") {
  const link = element(
    "a",
    {
      class: look,
      href: job.image?.url,
      download: `imagify-${job.job_id.slice(-8)}.png`,
      "data-testid": "download",
    },
    icon("download"),
    element("span", {}, say("image.download")),
    element("span", { class: "unseen" }, excerpt(job.prompt)),
  );
  let fresh = false;
  link.addEventListener("click", async (event) => {
    const image = app.store.state.jobs.get(job.job_id)?.job.image;
    // Once is enough, whatever a wrong clock says of the new one.
    if (fresh || !image || !expired(image)) {
      link.href = image?.url ?? link.href;
      fresh = false;
      return;
    }
    event.preventDefault();
    link.href = (await freshUrl(app, job.job_id)) ?? link.href;
    fresh = true;
    link.click();
  });
  return link;
}

/** The size in pixels, or what the ratio says. @param {Job} job */
export function size(job) {
  if (job.image) return { width: job.image.width, height: job.image.height };
  const [width = 1, height = 1] = job.aspect_ratio.split(":").map(Number);
  return { width, height };
}

/** @param {Job} job */
export function ratio(job) {
  const { width, height } = size(job);
  return width / height;
}

/** @param {import("./types.js").Image} image */
const expired = (image) => Date.parse(image.expires_at) - Date.now() < MARGIN_MS;

/** @param {App} app @param {string} jobId @returns {Promise<string | null>} */
async function freshUrl(app, jobId) {
  try {
    return (await app.jobs.refresh(jobId)).image?.url ?? null;
  } catch {
    return null;
  }
}
