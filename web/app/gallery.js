/** The images there are, newest first, a page at a time; kept while the page is open. */

const PAGE = 24;
/** An old page may hold few images of many jobs, so some are read on until there is one. */
const EMPTY_PAGES_MAX = 5;

export class Gallery {
  #client;
  #jobs;
  #store;
  /** @type {string | null} */
  #cursor = null;

  /**
   * @param {import("./types.js").Client} client
   * @param {import("./jobs.js").Jobs} jobs
   * @param {import("./state.js").Store} store
   */
  constructor(client, jobs, store) {
    this.#client = client;
    this.#jobs = jobs;
    this.#store = store;
    this.read = false;
    /** Ids of what was paged so far. @type {Set<string>} */
    this.ids = new Set();
  }

  /** Whether there may be older images. */
  get more() {
    return this.#cursor !== null;
  }

  /** The images to show: what was paged, and whatever has come since. */
  images() {
    const known = [...this.#store.state.jobs.values()].map(({ job }) => job);
    const oldest = this.#oldest();
    return known
      .filter((job) => job.image && (this.ids.has(job.job_id) || job.created_at >= oldest))
      .sort((one, other) => (one.created_at < other.created_at ? 1 : -1));
  }

  /** Read the first page, whatever was read before. */
  async start() {
    const first = await this.#client.jobs({ status: "succeeded", limit: PAGE });
    if (!this.read) this.#cursor = first.next_cursor;
    this.#keep(first.jobs);
    this.read = true;
    if (this.more && !this.ids.size) await this.next();
  }

  /** Read the next page. */
  async next() {
    for (let pages = 0; this.#cursor && pages < EMPTY_PAGES_MAX; pages += 1) {
      const page = await this.#client.jobs({
        status: "succeeded",
        limit: PAGE,
        cursor: this.#cursor,
      });
      this.#cursor = page.next_cursor;
      this.#keep(page.jobs);
      if (page.jobs.length) return;
    }
  }

  forget() {
    this.#cursor = null;
    this.read = false;
    this.ids.clear();
  }

  /** @param {import("./types.js").Job[]} jobs */
  #keep(jobs) {
    for (const job of jobs) {
      this.ids.add(job.job_id);
      this.#jobs.add(job);
    }
  }

  /** When the oldest paged image was submitted; older ones come with their page. */
  #oldest() {
    if (!this.more) return "";
    const paged = [...this.ids].map((id) => this.#store.state.jobs.get(id)?.job.created_at ?? "~");
    return paged.sort()[0] ?? "~";
  }
}
