/**
 * A world whose time passes only when a test says so.
 *
 * It has two clocks: the service's runs always, the client's timers stop while its machine sleeps.
 * What the client reads as the time of day is the service's clock, set wrong by `skew`.
 */
export class World {
  skew = 0;
  #now = Date.UTC(2030, 0, 1);
  #awake = 0;
  #timers = new Map();
  #ids = 0;
  #seed;
  #asleep = false;
  #missed = [];

  constructor(seed = 1) {
    this.#seed = seed;
    this.window = Object.assign(new EventTarget(), { hidden: false });
    /** What the client is given. */
    this.host = {
      now: () => this.#now + this.skew,
      random: () => this.random(),
      setTimeout: (act, ms) => this.#set(act, this.#awake + ms, false),
      clearTimeout: (id) => this.#timers.delete(id),
      events: this.window,
      hidden: () => this.window.hidden,
    };
  }

  /** From 0 to below 1, the same for the same seed: mulberry32. */
  random() {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let bits = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  }

  chance(share) {
    return this.random() < share;
  }

  between(least, most) {
    return least + this.random() * (most - least);
  }

  get now() {
    return this.#now;
  }

  /** The client's timers that are set. */
  get timers() {
    return [...this.#timers.values()].filter((timer) => !timer.service).length;
  }

  /** The service does something later. */
  later(act, ms) {
    this.#set(act, this.#now + ms, true);
  }

  #set(act, at, service) {
    this.#ids += 1;
    this.#timers.set(this.#ids, { act, at, service });
    return this.#ids;
  }

  /** Lets everything happen that waits for nothing but its turn. */
  settle() {
    return new Promise((resolve) => setImmediate(resolve));
  }

  async pass(seconds) {
    await this.#pass(seconds * 1000, true);
  }

  /** The client's machine sleeps for so long, and the world goes on. */
  async sleep(seconds) {
    this.#asleep = true;
    await this.#pass(seconds * 1000, false);
    this.#asleep = false;
    for (const act of this.#missed.splice(0)) act();
    await this.settle();
  }

  /** What reaches the client, once it is awake. */
  arrive(act) {
    if (this.#asleep) this.#missed.push(act);
    else act();
  }

  async #pass(ms, awake) {
    const end = this.#now + ms;
    await this.settle();
    for (;;) {
      const next = this.#next(awake);
      const step = Math.min(next ? next.inMs : Number.POSITIVE_INFINITY, end - this.#now);
      this.#now += step;
      if (awake) this.#awake += step;
      if (!next || next.inMs > step) return;
      this.#timers.delete(next.id);
      next.act();
      await this.settle();
    }
  }

  #next(awake) {
    let first = null;
    for (const [id, { act, at, service }] of this.#timers) {
      if (!service && !awake) continue;
      const inMs = Math.max(0, at - (service ? this.#now : this.#awake));
      if (first === null || inMs < first.inMs) first = { id, act, inMs };
    }
    return first;
  }

  /** Something that happens in the browser: `online`, `visibilitychange`, `storage` … */
  happen(name) {
    this.window.dispatchEvent(new Event(name));
  }

  async hide(hidden) {
    this.window.hidden = hidden;
    this.happen("visibilitychange");
    await this.settle();
  }
}
