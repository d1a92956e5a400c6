/** Credits: how many there are, packages to buy, payments, and every move. */

import { element, refill } from "../element.js";
import { say, vnd } from "../language.js";
import { problem } from "../problems.js";
import { ledger } from "./ledger.js";
import { paymentList } from "./payment_list.js";

/**
 * @typedef {import("../types.js").App} App
 * @typedef {import("../types.js").Package} Package
 */

/** @param {App} app @param {AbortSignal} signal @param {string} why `short` after a 402 */
export function creditsView(app, signal, why) {
  return element(
    "div",
    { class: "credits" },
    element("h1", {}, say("credits.title")),
    why === "short" &&
      element(
        "p",
        { class: "notice", "data-testid": "short" },
        say("credits.short"),
        " ",
        element("a", { href: "#create" }, say("credits.short_back")),
      ),
    balance(app, signal),
    packages(app, signal),
    paymentList(app, signal),
    ledger(app, signal),
  );
}

/** @param {App} app @param {AbortSignal} signal */
function balance(app, signal) {
  const node = element("p", { class: "balance-large", "data-testid": "credits-balance" });
  const show = () => {
    const { balance: now } = app.store.state;
    node.classList.toggle("skeleton", !now);
    if (!now) return;
    refill(
      node,
      element("strong", {}, say("balance.available", { count: now.available })),
      " ",
      element("span", {}, now.held ? say("credits.held", { count: now.held }) : ""),
    );
  };
  show();
  app.store.on((state, before) => state.balance !== before.balance && show(), signal);
  return node;
}

/** @param {App} app @param {AbortSignal} signal */
function packages(app, signal) {
  const list = element("ul", { class: "packages" });
  const error = element("p", { class: "form-error", role: "alert", "data-testid": "buy-error" });
  const show = () => {
    const { packages: all, models } = app.store.state;
    const cost = models?.find((model) => model.default)?.cost_credits ?? 0;
    refill(
      list,
      all
        ? all.map((one) => packageCard(app, one, cost, error))
        : [1, 2, 3].map(() => element("li", { class: "package skeleton" })),
    );
  };
  show();
  app.store.on((state, before) => state.packages !== before.packages && show(), signal);
  return element(
    "section",
    { "aria-labelledby": "packages-title" },
    element("h2", { id: "packages-title" }, say("packages.title")),
    list,
    error,
    element("p", { class: "aside" }, say("packages.vnpay")),
  );
}

/**
 * @param {App} app
 * @param {Package} one
 * @param {number} cost of an image by the default model
 * @param {HTMLElement} error
 */
function packageCard(app, one, cost, error) {
  const images = cost ? Math.floor(one.credits / cost) : 0;
  const button = element(
    "button",
    { type: "button", class: "button primary", "data-testid": `buy-${one.package}` },
    say("packages.buy", { price: vnd(one.price_vnd) }),
    element("span", { class: "unseen" }, say("credits.count", { count: one.credits })),
  );
  button.addEventListener("click", async () => {
    if (button.classList.contains("busy")) return;
    button.classList.add("busy");
    refill(error);
    try {
      leave(app, await app.purchases.buy(one.package));
    } catch (failure) {
      refill(error, problem(failure).text);
    }
    button.classList.remove("busy");
  });
  return element(
    "li",
    { class: "package" },
    element("p", { class: "package-credits" }, say("credits.count", { count: one.credits })),
    element(
      "p",
      { class: "package-images" },
      images ? say("packages.images", { count: images }) : "",
    ),
    button,
  );
}

/**
 * Go and pay. Our own page of the payment comes before it in the history, so that the browser's
 * way back leads to it.
 *
 * @param {App} app
 * @param {import("../types.js").Payment} payment
 */
function leave(app, payment) {
  const { pay } = payment.urls;
  app.go(`payment/${payment.txn_ref}`);
  if (pay) location.assign(pay);
}
