/** One payment: what has become of it, followed until VNPAY has decided. */

import { announce } from "../announce.js";
import { element, refill } from "../element.js";
import { icon } from "../icons.js";
import { refused } from "../jobs.js";
import { known, say, vnd } from "../language.js";

/**
 * @typedef {import("../types.js").App} App
 * @typedef {import("../types.js").Payment} Payment
 * @typedef {import("../language.js").Key} Key
 */

const ICONS = /** @type {Record<string, Parameters<typeof icon>[0]>} */ ({
  paid: "check",
  refunded: "check",
  failed: "close",
  expired: "close",
  review: "warn",
});

/** @param {App} app @param {AbortSignal} signal @param {string} txnRef */
export function paymentView(app, signal, txnRef) {
  const card = element("section", { class: "payment", "data-testid": "payment" }, awaited());
  const outcome = /** @type {{outcome?: string} | null} */ (history.state)?.outcome ?? null;
  let status = "";

  /** @param {Payment} payment */
  function show(payment) {
    if (payment.status !== status) {
      announce(title(payment));
      app.jobs.tellTabs();
    }
    status = payment.status;
    card.dataset.status = payment.status;
    refill(card, content(app, payment, outcome));
  }

  app.purchases.follow(txnRef, show, signal).catch((error) => {
    if (signal.aborted) return;
    refill(card, unknown(refused(error)));
  });
  return element("div", { class: "payment-page" }, element("h1", {}, say("payment.heading")), card);
}

/** @param {Payment} payment */
function title({ status }) {
  const key = `payment.${status}.title`;
  return say(known(key) ? key : "payment.unknown.title");
}

/** @param {App} app @param {Payment} payment @param {string | null} outcome VNPAY's hint */
function content(app, payment, outcome) {
  const values = { count: payment.credits, price: vnd(payment.amount_vnd) };
  return [
    element(
      "div",
      { class: `payment-mark ${payment.status}` },
      icon(ICONS[payment.status] ?? "wait"),
    ),
    element("h2", { "data-testid": "payment-title" }, title(payment)),
    element("p", { class: "payment-what" }, say("payment.what", values)),
    element("p", { "data-testid": "payment-text" }, text(payment, outcome)),
    payment.status === "paid" && balanceLine(app),
    element("div", { class: "actions" }, ways(payment)),
  ];
}

/** @param {Payment} payment @param {string | null} outcome */
function text(payment, outcome) {
  const { status, error } = payment;
  if (status === "pending") {
    if (outcome === "failed") return say("payment.pending.failed");
    // Came back by itself, without VNPAY's word: they may not have paid at all.
    if (!outcome && payment.urls.pay) return say("payment.pending.open");
    return say("payment.pending.text");
  }
  const reason = `payment.error.${error?.code ?? ""}`;
  if (status === "failed" && known(reason)) return `${say(reason)} ${say("payment.nothing_taken")}`;
  const key = `payment.${status}.text`;
  return say(known(key) ? key : "payment.unknown.text", { count: payment.credits });
}

/** @param {App} app */
function balanceLine({ store }) {
  const { balance } = store.state;
  return (
    balance &&
    element("p", { class: "payment-balance" }, say("payment.balance", { count: balance.available }))
  );
}

/** @param {Payment} payment */
function ways({ status, urls }) {
  if (status === "pending" && urls.pay) {
    return [
      element(
        "a",
        { class: "button primary", href: urls.pay, "data-testid": "pay" },
        say("payment.go_on"),
      ),
      way("#create", "payment.meanwhile", "button"),
    ];
  }
  if (status === "failed" || status === "expired") {
    return [
      way("#credits", "payment.try_again", "button primary"),
      way("#create", "payment.back", "button"),
    ];
  }
  return [
    way("#create", "payment.back", "button primary"),
    way("#credits", "payment.credits", "button"),
  ];
}

/** @param {string} href @param {Key} key @param {string} look */
function way(href, key, look) {
  return element("a", { class: look, href, "data-testid": key.replace(/[._]/g, "-") }, say(key));
}

/** @param {boolean} missing */
function unknown(missing) {
  return [
    element("h2", {}, say(missing ? "payment.missing.title" : "payment.unknown.title")),
    element("p", {}, say(missing ? "payment.missing.text" : "payment.unknown.text")),
    element("div", { class: "actions" }, way("#credits", "payment.credits", "button primary")),
  ];
}

function awaited() {
  return [
    element("div", { class: "payment-mark skeleton" }),
    element("p", { class: "skeleton line" }),
    element("p", { class: "skeleton line" }),
  ];
}
