/** Every move of the person's credits, newest first: what, when, how much, what there was then. */

import { element, refill } from "../element.js";
import { dateTime, known, number, say, signed } from "../language.js";
import { problem } from "../problems.js";

/**
 * @typedef {import("../types.js").App} App
 * @typedef {import("../types.js").Entry} Entry
 */

const PAGE = 20;

/** @param {App} app @param {AbortSignal} signal */
export function ledger(app, signal) {
  const rows = element("tbody", {}, awaited());
  const error = element("p", { class: "form-error", role: "alert" });
  const more = element(
    "button",
    { type: "button", class: "button quiet more", hidden: true, "data-testid": "ledger-more" },
    say("list.more"),
  );
  /** @type {string | null} */
  let cursor = null;
  let fresh = true;
  let reading = false;
  /** Whether credits moved while reading: what was read may not have that yet. */
  let moved = false;

  async function read() {
    if (reading) return;
    reading = true;
    refill(error);
    more.classList.add("busy");
    try {
      const page = await app.client.ledger({ cursor, limit: PAGE, signal });
      const added = page.entries.map(row);
      if (fresh) refill(rows, added);
      else rows.append(...added);
      if (!fresh) focusRow(added[0]);
      fresh = false;
      cursor = page.next_cursor;
      more.hidden = !cursor;
    } catch (failure) {
      refill(error, problem(failure).text);
      more.hidden = false;
    }
    more.classList.remove("busy");
    reading = false;
    if (moved && !signal.aborted) renew();
  }

  /** What has moved shows when the first page is all there is; else a reader may be further down. */
  function renew() {
    moved = reading;
    if (reading || rows.children.length > PAGE) return;
    fresh = true;
    cursor = null;
    read();
  }
  more.addEventListener("click", read);
  read();
  app.store.on(({ balance }, { balance: before }) => {
    if (!balance) return;
    if (balance.available !== before?.available || balance.held !== before.held) renew();
  }, signal);
  return element(
    "section",
    { "aria-labelledby": "ledger-title" },
    element("h2", { id: "ledger-title" }, say("ledger.title")),
    table(rows),
    error,
    more,
  );
}

/** @param {HTMLElement} rows */
function table(rows) {
  const heads = /** @type {const} */ (["ledger.what", "ledger.amount", "ledger.after"]);
  return element(
    "table",
    { class: "ledger", "data-testid": "ledger" },
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        heads.map((key) => element("th", { scope: "col" }, say(key))),
      ),
    ),
    rows,
  );
}

/** @param {Entry} entry */
function row(entry) {
  const { amount, balance_after: after } = entry;
  return element(
    "tr",
    { "data-testid": "ledger-row", "data-kind": entry.kind },
    element(
      "th",
      { scope: "row" },
      element("span", { class: "ledger-what" }, kindWord(entry)),
      element("span", { class: "ledger-when" }, dateTime(entry.created_at)),
      link(entry),
    ),
    element(
      "td",
      { class: amount.available > 0 ? "amount gain" : "amount" },
      amount.available !== 0 && signed(amount.available),
      amount.held !== 0 && heldNote(amount.held),
    ),
    element(
      "td",
      { class: "amount" },
      number(after.available),
      after.held > 0 && heldNote(after.held),
    ),
  );
}

/** @param {number} credits */
function heldNote(credits) {
  return element(
    "span",
    { class: "ledger-held" },
    say("ledger.held", { credits: signed(credits) }),
  );
}

/** @param {Entry} entry */
function kindWord({ kind, reason }) {
  const key = `ledger.${kind}`;
  if (kind === "grant") return say(reason === "welcome" ? "ledger.welcome" : "ledger.grant");
  return known(key) ? say(key) : kind;
}

/** @param {Entry} entry */
function link({ job_id, txn_ref, created_at }) {
  const when = element("span", { class: "unseen" }, dateTime(created_at));
  if (job_id) return element("a", { href: `#image/${job_id}` }, say("ledger.job"), when);
  if (txn_ref) return element("a", { href: `#payment/${txn_ref}` }, say("ledger.payment"), when);
  return null;
}

/** @param {HTMLElement | undefined} added */
function focusRow(added) {
  if (!added) return;
  added.tabIndex = -1;
  added.focus();
}

function awaited() {
  return [1, 2, 3].map(() =>
    element("tr", { "aria-hidden": "true" }, element("td", { colspan: 3, class: "skeleton" })),
  );
}
