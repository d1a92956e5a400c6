/** One job in full, over the view that it was opened from. */

import { element, refill, retext } from "../element.js";
import { icon } from "../icons.js";
import { told } from "../job_words.js";
import { dateTime, number, say } from "../language.js";
import { downloadLink, picture, ratio } from "../picture.js";
import { fillForm } from "./job_card.js";

/**
 * @typedef {import("../types.js").App} App
 * @typedef {import("../types.js").Job} Job
 */

const TICK_MS = 1000;

export class ImageDialog {
  #app;
  #id = "";
  /** Whether the view below was there before, so that the way back leads to it. */
  #over = false;
  /** The status that is drawn; none while the job is not known. */
  #drawn = "";
  #word = element("strong");
  #detail = element("span");
  /** Aborted when it closes. */
  #opened = new AbortController();

  /** @param {App} app */
  constructor(app) {
    this.#app = app;
    this.node = element("dialog", {
      class: "image-dialog",
      "aria-labelledby": "image-title",
      "data-testid": "image-dialog",
    });
    this.node.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.#leave();
    });
    this.node.addEventListener("click", (event) => {
      if (event.target === this.node) this.#leave();
    });
    this.node.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") this.#step(-1);
      if (event.key === "ArrowRight") this.#step(1);
    });
  }

  /** @param {string} jobId @param {boolean} over a view that was there before */
  async open(jobId, over) {
    this.#over ||= over && !this.node.open;
    this.#id = jobId;
    this.#drawn = "";
    if (!this.#known) refill(this.node, this.#bar(), awaited());
    this.#update();
    this.#follow();
    if (!this.node.open) this.node.showModal();
    if (this.#known) return;
    try {
      await this.#app.jobs.refresh(jobId);
    } catch {
      if (this.#id !== jobId || !this.node.open || this.#drawn) return;
      refill(this.node, this.#bar(), missing());
    }
  }

  get #known() {
    return this.#app.store.state.jobs.get(this.#id);
  }

  /** While it is open it shows what becomes of the job. */
  #follow() {
    this.#opened.abort();
    this.#opened = new AbortController();
    const { signal } = this.#opened;
    this.#app.store.on((state, before) => {
      if (state.jobs.get(this.#id) !== before.jobs.get(this.#id)) this.#update();
    }, signal);
    const timer = setInterval(() => this.#update(), TICK_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
  }

  /** Draws anew only what is another state, so that an image stays; else the words go on. */
  #update() {
    const known = this.#known;
    if (!known) return;
    const { word, detail } = told(known.job, (performance.now() - known.at) / 1000);
    retext(this.#word, word);
    retext(this.#detail, detail);
    if (known.job.status === this.#drawn) return;
    this.#drawn = known.job.status;
    const focused = this.node.contains(document.activeElement)
      ? document.activeElement?.getAttribute("data-testid")
      : null;
    refill(this.node, this.#bar(), this.#content(known.job));
    if (focused) this.#focus(focused);
  }

  /**
   * On the button that had the focus, which is a new one; else on the one that is always there.
   *
   * @param {string} testid
   */
  #focus(testid) {
    const again = this.node.querySelector(`[data-testid="${testid}"]:enabled`);
    const close = this.node.querySelector('[data-testid="image-close"]');
    /** @type {HTMLElement | null} */ (again ?? close)?.focus({ preventScroll: true });
  }

  close() {
    this.#over = false;
    this.#opened.abort();
    if (this.node.open) this.node.close();
  }

  #leave() {
    if (this.#over) history.back();
    else this.#app.goInstead("gallery");
  }

  #bar() {
    const [before, after] = [this.#neighbour(-1), this.#neighbour(1)];
    return element(
      "div",
      { class: "dialog-bar" },
      element("h2", { id: "image-title" }, say("image.title")),
      this.#button("back", "image.newer", before, () => this.#step(-1)),
      this.#button("forward", "image.older", after, () => this.#step(1)),
      this.#button("close", "image.close", "close", () => this.#leave()),
    );
  }

  /**
   * @param {"back" | "forward" | "close"} look
   * @param {import("../language.js").Key} key
   * @param {string | undefined} there what it leads to, if anything
   * @param {() => void} click
   */
  #button(look, key, there, click) {
    return element(
      "button",
      {
        type: "button",
        class: "icon-button",
        "aria-label": say(key),
        title: say(key),
        "data-testid": `image-${look}`,
        disabled: !there,
        on: { click },
      },
      icon(look),
    );
  }

  /** @param {number} by @returns {string | undefined} the id of the image before or after */
  #neighbour(by) {
    const ids = this.#app.gallery.images().map((job) => job.job_id);
    const place = ids.indexOf(this.#id);
    return place < 0 ? undefined : ids[place + by];
  }

  /** @param {number} by */
  #step(by) {
    const id = this.#neighbour(by);
    if (!id) return;
    const focused = document.activeElement?.getAttribute("data-testid");
    this.#app.goInstead(`image/${id}`);
    addEventListener(
      "hashchange",
      () => {
        const again = this.node.querySelector(`[data-testid="${focused}"]:enabled`);
        /** @type {HTMLElement | null} */ (again)?.focus();
      },
      { once: true },
    );
  }

  /** @param {Job} job */
  #content(job) {
    const shown = job.image
      ? picture(this.#app, job, "eager")
      : element("p", { class: "no-image" }, this.#word, " ", this.#detail);
    return element(
      "div",
      { class: "dialog-content", vars: { "--ratio": ratio(job) } },
      element("div", { class: "dialog-image" }, shown),
      element(
        "div",
        { class: "dialog-words" },
        element("p", { class: "dialog-prompt", "data-testid": "image-prompt" }, job.prompt),
        facts(this.#app, job),
        this.#actions(job),
      ),
    );
  }

  /** @param {Job} job */
  #actions(job) {
    /** @param {boolean} seeded */
    const reuse = (seeded) => () => {
      fillForm(this.#app, job, seeded);
      this.#app.go("create");
    };
    return element(
      "div",
      { class: "actions" },
      job.image && downloadLink(this.#app, job, "button primary"),
      useButton("image.reuse", reuse(false)),
      job.seed !== null && useButton("image.reuse_seed", reuse(true)),
    );
  }
}

/** @param {import("../language.js").Key} key @param {() => void} click */
function useButton(key, click) {
  const testid = key.replace(/[._]/g, "-");
  return element(
    "button",
    { type: "button", class: "button", "data-testid": testid, on: { click } },
    say(key),
  );
}

/** @param {App} app @param {Job} job */
function facts(app, job) {
  const model = app.store.state.models?.find((one) => one.model === job.model);
  const { image } = job;
  const rows = /** @type {[import("../language.js").Key, string | null][]} */ ([
    ["image.negative", job.negative_prompt],
    ["image.model", model?.title ?? job.model],
    ["image.size", image ? `${number(image.width)} × ${number(image.height)}` : job.aspect_ratio],
    ["image.seed", job.seed === null ? null : String(job.seed)],
    ["image.date", dateTime(job.created_at)],
    ["image.price", say("credits.count", { count: job.charge.settled })],
  ]);
  return element(
    "dl",
    { class: "facts" },
    rows
      .filter(([, value]) => value)
      .map(([key, value]) =>
        element("div", {}, element("dt", {}, say(key)), element("dd", {}, value)),
      ),
  );
}

function awaited() {
  return element(
    "div",
    { class: "dialog-content" },
    element("div", { class: "dialog-image skeleton" }),
    element("p", { class: "unseen" }, say("image.awaited")),
  );
}

function missing() {
  return element("p", { class: "empty" }, say("image.missing"));
}
