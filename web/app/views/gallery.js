/** The person's images, newest first, each in its own shape. */

import { arrange, element, refill } from "../element.js";
import { say } from "../language.js";
import { picture, ratio } from "../picture.js";
import { problem } from "../problems.js";

/**
 * @typedef {import("../types.js").App} App
 * @typedef {import("../types.js").Job} Job
 */

const SKELETONS = [1.5, 1, 0.7, 1.75, 1, 1.5, 0.8, 1.2];

/** @param {App} app @param {AbortSignal} signal */
export function galleryView(app, signal) {
  const { gallery } = app;
  const list = element("ul", { class: "wall", "data-testid": "gallery" });
  const empty = element("div", { class: "empty", "data-testid": "gallery-empty", hidden: true });
  const error = element("p", { class: "form-error", role: "alert" });
  const more = element(
    "button",
    { type: "button", class: "button quiet more", hidden: true, "data-testid": "more" },
    say("list.more"),
  );
  /** @type {Map<string, HTMLElement>} */
  const items = new Map();

  function show() {
    if (!gallery.read) return;
    const images = gallery.images();
    for (const job of images) if (!items.has(job.job_id)) items.set(job.job_id, item(app, job));
    const nodes = images.map((job) => /** @type {HTMLElement} */ (items.get(job.job_id)));
    arrange(list, nodes);
    empty.hidden = images.length > 0;
    more.hidden = !gallery.more;
  }

  /** @param {() => Promise<void>} work */
  async function read(work) {
    more.classList.add("busy");
    refill(error);
    try {
      await work();
    } catch (failure) {
      if (signal.aborted) return;
      refill(error, problem(failure).text);
      more.hidden = false;
    }
    more.classList.remove("busy");
    if (!signal.aborted) show();
  }

  refill(empty, nothing());
  if (!gallery.read) refill(list, SKELETONS.map(awaited));
  show();
  read(() => gallery.start());
  more.addEventListener("click", async () => {
    const before = list.children.length;
    await read(() => (gallery.read ? gallery.next() : gallery.start()));
    /** @type {HTMLElement | null} */ (list.children[before]?.querySelector("a"))?.focus();
  });
  app.store.on((state, before) => state.jobs !== before.jobs && show(), signal);
  return element(
    "div",
    { class: "gallery" },
    element("h1", {}, say("gallery.title")),
    empty,
    list,
    error,
    more,
  );
}

/** @param {App} app @param {Job} job */
function item(app, job) {
  return element(
    "li",
    { vars: { "--ratio": ratio(job) }, "data-testid": "gallery-item", "data-job-id": job.job_id },
    element("a", { href: `#image/${job.job_id}` }, picture(app, job)),
  );
}

/** @param {number} shape */
function awaited(shape) {
  return element("li", { class: "skeleton", "aria-hidden": "true", vars: { "--ratio": shape } });
}

function nothing() {
  return [
    element("p", {}, say("gallery.empty")),
    element("a", { class: "button primary", href: "#create" }, say("gallery.first")),
  ];
}
