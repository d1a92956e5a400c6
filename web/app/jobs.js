/** The person's jobs: submitted, found again, followed until they end, in every tab. */

import { announce } from "./announce.js";
import { spoken } from "./job_words.js";
import { Outbox } from "./outbox.js";

/**
 * @typedef {import("./types.js").Job} Job
 * @typedef {import("./types.js").PendingSubmit} PendingSubmit
 */

const LATEST = 30;
const STALLED_MAX = 10;
const LOOK_AGAIN_MS = 5000;
const LOOK_MS = 400;
/** After that long a person may have changed their mind, so they are asked first. */
const RESEND_MS = 10 * 60 * 1000;

export class Jobs {
  #client;
  #store;
  #outbox;
  #tabs;
  #ended = new AbortController();
  /** @type {Set<string>} */
  #followed = new Set();
  #looking = 0;
  /** Held credits that were compared with the jobs last. */
  #heldSeen = 0;

  /**
   * @param {import("./types.js").Client} client
   * @param {import("./state.js").Store} store
   * @param {Storage} storage shared by the tabs
   * @param {import("./tabs.js").Tabs} tabs
   */
  constructor(client, store, storage, tabs) {
    this.#client = client;
    this.#store = store;
    this.#outbox = /** @type {Outbox<PendingSubmit>} */ (new Outbox(storage, "imagify.submits"));
    this.#tabs = tabs;
    tabs.on("changed", (email) => email === this.#email && this.look());
    client.onBalance((balance) => this.#take(balance));
  }

  /** Find the person's jobs again, send what had no answer, and go on from there. */
  start() {
    this.#ended = new AbortController();
    const pending = this.#outbox.of(this.#email);
    this.#store.set({ pending: pending.map((submit) => ({ ...submit, way: "unsent" })) });
    this.sendAgain();
    this.read().catch(() => this.look(LOOK_AGAIN_MS));
  }

  /** Send what had no answer, the oldest first; an old one waits for the person's word. */
  sendAgain() {
    for (const { way, ...submit } of this.#store.state.pending) {
      if (way === "unsent" && Date.now() - submit.since < RESEND_MS) this.#send(submit);
    }
  }

  /** The person has left. */
  stop() {
    this.#ended.abort();
    this.#followed.clear();
    this.#store.forget();
  }

  /** Leave nothing unsent behind of a person who leaves by choice. @param {string} email */
  forget(email) {
    this.#outbox.forget(email);
  }

  /** Fetch the newest jobs, those that are stalled, and the balance. */
  async read() {
    const { signal } = this.#ended;
    const [newest, stalled] = await Promise.all([
      this.#client.jobs({ limit: LATEST, signal }),
      this.#client.jobs({ status: "stalled", limit: STALLED_MAX, signal }),
      this.#client.me({ signal }),
    ]);
    for (const job of [...newest.jobs, ...stalled.jobs]) this.add(job);
    this.#store.set({ jobsRead: true });
  }

  /**
   * Look again soon, such as when the balance says that there is more than is known; and once more
   * when that fails.
   */
  look(waitMs = LOOK_MS) {
    const { signal } = this.#ended;
    clearTimeout(this.#looking);
    this.#looking = setTimeout(() => {
      if (!this.#store.state.email || signal.aborted) return;
      this.read().catch(() => signal.aborted || this.look(LOOK_AGAIN_MS));
    }, waitMs);
  }

  /**
   * Submit a request; its answer, or what there is instead, shows in the state.
   *
   * @param {import("./types.js").ImageRequest} request
   * @returns {Promise<Job>} rejects when the API refuses it, or does not answer
   */
  submit(request) {
    const submit = { key: crypto.randomUUID(), email: this.#email, since: Date.now(), request };
    this.#outbox.put(submit);
    return this.#post(submit);
  }

  /** Send a submit that had no answer, once more. @param {PendingSubmit} submit */
  resend(submit) {
    this.#send(submit);
  }

  /** Give a submit up that had no answer. @param {string} key */
  drop(key) {
    this.#outbox.drop(key);
    this.#store.set({ pending: this.#store.state.pending.filter((one) => one.key !== key) });
    this.look();
  }

  /** @param {string} jobId */
  async cancel(jobId) {
    this.#store.setNote(jobId, null);
    try {
      this.add(await this.#client.cancel(jobId));
      this.tellTabs();
      await this.#client.me();
    } catch (error) {
      const late = /** @type {any} */ (error).status === 409;
      this.#store.setNote(jobId, late ? "job.note.too_late" : "job.note.not_canceled");
      if (late) await this.refresh(jobId).catch(() => {});
    }
  }

  /** Have the other tabs look, as something here has changed. */
  tellTabs() {
    this.#tabs.tell("changed", this.#email);
  }

  /** Fetch one job, such as for a fresh URL of its image. @param {string} jobId */
  async refresh(jobId) {
    const job = await this.#client.job(jobId, { signal: this.#ended.signal });
    this.add(job);
    return job;
  }

  /** Take in a job from wherever, and follow it if it is not over. @param {Job} job */
  add(job) {
    const before = this.#store.state.jobs.get(job.job_id)?.job;
    if (before && before.version > job.version) return;
    this.#store.setJob(job, performance.now());
    if (before && before.status !== job.status) {
      this.#store.setNote(job.job_id, null);
      announce(spoken(job));
    }
    if (!job.terminal) this.#follow(job);
  }

  get #email() {
    return this.#store.state.email ?? "";
  }

  /** @param {PendingSubmit} submit @returns {Promise<Job>} */
  async #post(submit) {
    const { signal } = this.#ended;
    this.#mark(submit, "sending");
    try {
      const job = await this.#client.submit(submit.request, { key: submit.key, signal });
      this.drop(submit.key);
      this.add(job);
      announce(spoken(job));
      this.tellTabs();
      return job;
    } catch (error) {
      if (signal.aborted) throw error;
      if (refused(error)) this.drop(submit.key);
      else this.#mark(submit, "unsent");
      throw error;
    }
  }

  /** @param {PendingSubmit} submit */
  #send(submit) {
    this.#post(submit).catch((error) => {
      if (refused(error)) announce(spoken(null));
    });
  }

  /** @param {PendingSubmit} submit @param {"sending" | "unsent"} way */
  #mark(submit, way) {
    const others = this.#store.state.pending.filter(({ key }) => key !== submit.key);
    this.#store.set({ pending: [...others, { ...submit, way }] });
  }

  /** @param {Job} job */
  async #follow(job) {
    const { signal } = this.#ended;
    const id = job.job_id;
    if (this.#followed.has(id)) return;
    this.#followed.add(id);
    try {
      await this.#client.subscribe(id, { job, signal, onUpdate: (news) => this.add(news) });
      await this.#client.me({ signal });
    } catch {
      // It is out of sight, not lost: look again, unless the person has left.
      if (!signal.aborted) this.look(LOOK_AGAIN_MS);
    } finally {
      if (!signal.aborted) this.#followed.delete(id);
    }
  }

  /** @param {import("./types.js").Balance} balance */
  #take(balance) {
    this.#store.set({ balance });
    const active = [...this.#store.state.jobs.values()];
    const held = active.reduce((sum, { job }) => sum + job.charge.held, 0);
    // More is held than the jobs here account for: another device has submitted one. Once a
    // change, as a job that is not among the newest would have it asked for ever.
    const more = held < balance.held && balance.held !== this.#heldSeen;
    this.#heldSeen = balance.held;
    if (more && this.#store.state.jobsRead) this.look();
  }
}

/**
 * Whether the API said no, so that sending the same again would change nothing.
 *
 * @param {unknown} error
 */
export function refused(error) {
  const { status = 0, code = "" } = /** @type {{status?: number, code?: string}} */ (error);
  return status >= 400 && status < 500 && status !== 408 && code !== "unreadable";
}
