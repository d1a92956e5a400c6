/** Buying credits: begun once however often it is tried, and followed until VNPAY has decided. */

import { refused } from "./jobs.js";
import { language } from "./language.js";
import { Outbox } from "./outbox.js";

/**
 * @typedef {import("./types.js").Payment} Payment
 * @typedef {import("./types.js").PendingPurchase} PendingPurchase
 */

const RESEND_MS = 10 * 60 * 1000;
const LOOK_MS = 1000;
const LOOK_MS_MAX = 10_000;
const SLOWER = 1.3;

export class Purchases {
  #client;
  #store;
  #outbox;

  /**
   * @param {import("./types.js").Client} client
   * @param {import("./state.js").Store} store
   * @param {Storage} storage shared by the tabs
   */
  constructor(client, store, storage) {
    this.#client = client;
    this.#store = store;
    const outbox = new Outbox(storage, "imagify.purchases");
    this.#outbox = /** @type {Outbox<PendingPurchase>} */ (outbox);
  }

  /** The purchase that a reload left without an answer, made again: its payment, or null. */
  async start() {
    const left = this.#outbox.of(this.#email);
    const last = left.pop();
    for (const { key } of left) this.#outbox.drop(key);
    if (!last) return null;
    if (Date.now() - last.since < RESEND_MS) return this.#post(last);
    this.#outbox.drop(last.key);
    return null;
  }

  /** Leave nothing unsent behind of a person who leaves by choice. @param {string} email */
  forget(email) {
    this.#outbox.forget(email);
  }

  /**
   * Begin to buy a package.
   *
   * @param {string} name
   * @returns {Promise<Payment>} whose `urls.pay` says where to go
   */
  buy(name) {
    // The same package again, while there was no answer, is the same purchase.
    const again = this.#outbox.of(this.#email).find((purchase) => purchase.package === name);
    const purchase = again ?? {
      key: crypto.randomUUID(),
      email: this.#email,
      since: Date.now(),
      package: name,
      locale: language() === "vi" ? /** @type {const} */ ("vn") : /** @type {const} */ ("en"),
    };
    this.#outbox.put(purchase);
    return this.#post(purchase);
  }

  /**
   * Tell every change of a payment until it is decided.
   *
   * @param {string} txnRef
   * @param {(payment: Payment) => void} onUpdate
   * @param {AbortSignal} signal
   * @returns {Promise<void>} rejects when there is no such payment
   */
  async follow(txnRef, onUpdate, signal) {
    for (let wait = LOOK_MS; !signal.aborted; wait = Math.min(wait * SLOWER, LOOK_MS_MAX)) {
      const payment = await this.#look(txnRef, signal);
      if (payment) {
        if (payment.status === "paid") await this.#client.me({ signal }).catch(() => {});
        if (!signal.aborted) onUpdate(payment);
        if (payment.terminal) return;
      }
      await new Promise((wake) => setTimeout(wake, wait));
    }
  }

  get #email() {
    return this.#store.state.email ?? "";
  }

  /** @param {string} txnRef @param {AbortSignal} signal @returns {Promise<Payment | null>} */
  async #look(txnRef, signal) {
    try {
      return await this.#client.payment(txnRef, { signal });
    } catch (error) {
      if (refused(error) && /** @type {any} */ (error).status !== 429) throw error;
      return null;
    }
  }

  /** @param {PendingPurchase} purchase @returns {Promise<Payment>} */
  async #post({ package: name, key, locale }) {
    try {
      const payment = await this.#client.buy(name, { key, locale });
      this.#outbox.drop(key);
      return payment;
    } catch (error) {
      // A session that ended in between says nothing about the purchase: it may have been begun.
      const { status } = /** @type {{status?: number}} */ (error);
      if (refused(error) && status !== 401) this.#outbox.drop(key);
      throw error;
    }
  }
}
