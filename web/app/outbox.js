/**
 * Requests that cost something, kept with their Idempotency-Key from before they are sent until
 * their answer is there: after a reload they go out again, and are the same job or payment.
 *
 * They are shared by tabs, which may both send one; the key makes that one as well.
 *
 * @template {{key: string, email: string, since: number}} T
 */
export class Outbox {
  #storage;
  #name;

  /**
   * @param {Storage} storage
   * @param {string} name the storage's key
   */
  constructor(storage, name) {
    this.#storage = storage;
    this.#name = name;
  }

  /**
   * A person's requests without an answer, the oldest first.
   *
   * @param {string} email
   * @returns {T[]}
   */
  of(email) {
    return this.#read().filter((request) => request.email === email);
  }

  /** @param {T} request */
  put(request) {
    this.#write([...this.#read().filter(({ key }) => key !== request.key), request]);
  }

  /** @param {string} key */
  drop(key) {
    this.#write(this.#read().filter((request) => request.key !== key));
  }

  /** Drop all of a person's. @param {string} email */
  forget(email) {
    this.#write(this.#read().filter((request) => request.email !== email));
  }

  /** @returns {T[]} */
  #read() {
    try {
      const stored = JSON.parse(this.#storage.getItem(this.#name) ?? "[]");
      return Array.isArray(stored) ? stored : [];
    } catch {
      return [];
    }
  }

  /** @param {T[]} requests */
  #write(requests) {
    if (requests.length) this.#storage.setItem(this.#name, JSON.stringify(requests));
    else this.#storage.removeItem(this.#name);
  }
}
