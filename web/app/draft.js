/** The half-typed form, kept over reloads: in this tab, and as a start for the next new one. */

/**
 * @typedef {object} Fields
 * @property {string} prompt
 * @property {string} negative
 * @property {string} model
 * @property {string} ratio
 * @property {string} seed
 */

const STORED = "imagify.draft";
/** @type {Fields} */
const EMPTY = { prompt: "", negative: "", model: "", ratio: "1:1", seed: "" };

export class Draft {
  #places;
  /** @type {Set<(fields: Fields) => void>} */
  #listeners = new Set();
  #email = "";
  #filled = false;

  /** @param {Storage[]} places the first that has it is believed */
  constructor(...places) {
    this.#places = places;
    this.fields = { ...EMPTY };
  }

  /** Read what this person has typed; nobody sees another's. @param {string} email */
  open(email) {
    this.#email = email;
    this.fields = { ...EMPTY };
    for (const place of this.#places) {
      const stored = readJson(place.getItem(STORED));
      if (stored?.email !== email) continue;
      this.fields = { ...EMPTY, ...stored.fields };
      return;
    }
  }

  /** @param {Partial<Fields>} changes */
  save(changes) {
    this.fields = { ...this.fields, ...changes };
    const text = JSON.stringify({ email: this.#email, fields: this.fields });
    for (const place of this.#places) place.setItem(STORED, text);
  }

  /** Put something else into the form, too. @param {Partial<Fields>} changes */
  fill(changes) {
    this.save(changes);
    this.#filled = true;
    for (const listener of this.#listeners) listener(this.fields);
  }

  /** Whether it was filled from elsewhere since this was asked last. */
  takeFilled() {
    const filled = this.#filled;
    this.#filled = false;
    return filled;
  }

  /** Leave nothing behind for the next person. */
  forget() {
    this.fields = { ...EMPTY };
    for (const place of this.#places) place.removeItem(STORED);
  }

  /**
   * @param {(fields: Fields) => void} listener called when the form is filled from elsewhere
   * @param {AbortSignal} signal
   */
  onFill(listener, signal) {
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#listeners.delete(listener));
  }
}

/** @param {string | null} text @returns {any} */
function readJson(text) {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}
