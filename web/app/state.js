/** What the page knows, in one place; views are told when it changes. */

/**
 * @typedef {import("./types.js").Job} Job
 * @typedef {import("./types.js").PendingSubmit} PendingSubmit
 *
 * @typedef {object} Known
 * @property {Job} job
 * @property {number} at when it was heard of, on the clock of `performance.now()`
 *
 * @typedef {object} State
 * @property {string | null} email who is signed in
 * @property {import("./types.js").Balance | null} balance
 * @property {import("./types.js").Model[] | null} models
 * @property {import("./types.js").Package[] | null} packages
 * @property {ReadonlyMap<string, Known>} jobs by id
 * @property {boolean} jobsRead whether the newest jobs have been fetched
 * @property {readonly PendingSubmit[]} pending submits without an answer
 * @property {ReadonlyMap<string, string>} notes what to say at a job, by its id
 * @property {string} feed the client's feed state
 * @property {boolean} online
 */

export class Store {
  /** @type {Set<(state: State, before: State) => void>} */
  #listeners = new Set();

  constructor() {
    /** @type {State} */
    this.state = { ...emptied(), email: null, models: null, packages: null, online: true };
  }

  /** @param {Partial<State>} changes */
  set(changes) {
    const before = this.state;
    this.state = { ...before, ...changes };
    for (const listener of [...this.#listeners]) listener(this.state, before);
  }

  /** Forget what belongs to a person. */
  forget() {
    this.set(emptied());
  }

  /**
   * @param {Job} job
   * @param {number} at
   */
  setJob(job, at) {
    this.set({ jobs: new Map(this.state.jobs).set(job.job_id, { job, at }) });
  }

  /**
   * @param {string} jobId
   * @param {string | null} note
   */
  setNote(jobId, note) {
    const notes = new Map(this.state.notes);
    if (note) notes.set(jobId, note);
    else notes.delete(jobId);
    this.set({ notes });
  }

  /**
   * Be told of every change until `signal` aborts.
   *
   * @param {(state: State, before: State) => void} listener
   * @param {AbortSignal} signal
   */
  on(listener, signal) {
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#listeners.delete(listener));
  }
}

function emptied() {
  return {
    balance: null,
    jobs: new Map(),
    jobsRead: false,
    pending: [],
    notes: new Map(),
    feed: "off",
  };
}
