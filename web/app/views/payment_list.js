/** The person's payments, newest first; there is nothing to see until there is one. */

import { element } from "../element.js";
import { dateTime, known, say, vnd } from "../language.js";

/**
 * @typedef {import("../types.js").App} App
 * @typedef {import("../types.js").Payment} Payment
 */

/** @param {App} app @param {AbortSignal} signal */
export function paymentList(app, signal) {
  const list = element("ul", { class: "rows", "data-testid": "payments" });
  const more = element("button", { type: "button", class: "button quiet more" }, say("list.more"));
  const node = element(
    "section",
    { "aria-labelledby": "payments-title", hidden: true },
    element("h2", { id: "payments-title" }, say("payments.title")),
    list,
    more,
  );
  /** @type {string | null} */
  let cursor = null;

  async function read() {
    const page = await app.client.payments({ cursor, signal });
    const before = list.children.length;
    list.append(...page.payments.map(row));
    cursor = page.next_cursor;
    more.hidden = !cursor;
    node.hidden = list.children.length === 0;
    if (before)
      /** @type {HTMLElement | null} */ (list.children[before]?.querySelector("a"))?.focus();
  }
  const start = () => read().catch(() => {});
  more.addEventListener("click", start);
  start();
  return node;
}

/** @param {Payment} payment */
function row(payment) {
  return element(
    "li",
    { class: "row", "data-testid": "payment-row", "data-status": payment.status },
    element(
      "div",
      {},
      element(
        "a",
        { href: `#payment/${payment.txn_ref}` },
        say("credits.count", { count: payment.credits }),
        element("span", { class: "unseen" }, dateTime(payment.created_at)),
      ),
      element("p", { class: "row-when", "aria-hidden": "true" }, dateTime(payment.created_at)),
    ),
    element("p", { class: "row-amount" }, vnd(payment.amount_vnd)),
    element("p", { class: `tag ${payment.status}` }, statusWord(payment.status)),
  );
}

/** @param {string} status */
function statusWord(status) {
  const key = `payments.${status}`;
  return say(known(key) ? key : "payments.unknown");
}
