/** The page: loads the client, then shows what the address and the session say. */

import { Imagify } from "../imagify.js";
import { Draft } from "./draft.js";
import { element, refill } from "./element.js";
import { Gallery } from "./gallery.js";
import { Jobs } from "./jobs.js";
import { say, startLanguage } from "./language.js";
import { Purchases } from "./purchases.js";
import { go, goInstead, takeReturn } from "./router.js";
import { Shell } from "./shell.js";
import { Store } from "./state.js";
import { Tabs } from "./tabs.js";

const VISITOR = "imagify.visitor";

/** @returns {import("./types.js").Visitor} */
function visitor() {
  return {
    get email() {
      return sessionStorage.getItem(VISITOR) ?? "";
    },
    set email(email) {
      if (email) sessionStorage.setItem(VISITOR, email);
      else sessionStorage.removeItem(VISITOR);
    },
    password: "",
    note: null,
    leaving: false,
  };
}

/** @param {import("./types.js").App} app @param {Shell} shell */
function watch({ client, store, jobs, purchases, draft, gallery, tabs, visitor: guest }, shell) {
  /** @param {string | null} email */
  function change(email) {
    const before = store.state.email;
    if (email === before) return;
    jobs.stop();
    gallery.forget();
    store.set({ email });
    if (email) {
      draft.open(email);
      jobs.start();
      purchases.start().then(
        (payment) => payment && go(`payment/${payment.txn_ref}`),
        () => {},
      );
    } else if (before && !guest.leaving) {
      // Not by their own doing here: what they have typed stays, and they are told.
      guest.email = before;
      guest.note = "error.signed_out";
    }
    guest.leaving = false;
    shell.show();
  }

  tabs.on("left", (email) => {
    if (email !== store.state.email && email !== guest.email) return;
    guest.leaving = store.state.email !== null;
    guest.email = "";
    draft.forget();
  });
  client.onSession(() => change(client.email));
  client.onFeedState(() => store.set({ feed: client.feedState }));
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible" && store.state.email) jobs.look();
  });
  for (const name of ["online", "offline"]) {
    addEventListener(name, () => store.set({ online: navigator.onLine }));
  }
  addEventListener("online", () => {
    jobs.sendAgain();
    jobs.look();
  });
  change(client.email);
}

/** What can be made and bought, the same for everybody. @param {import("./types.js").App} app */
async function stock({ client, store }) {
  for (let wait = 1000; ; wait = Math.min(wait * 2, 30_000)) {
    try {
      const [models, packages] = await Promise.all([client.models(), client.packages()]);
      store.set({ models: models, packages: packages });
      return;
    } catch {
      await new Promise((wake) => setTimeout(wake, wait));
    }
  }
}

async function start() {
  startLanguage(localStorage, navigator.languages);
  takeReturn();
  const client = await Imagify.load("config.json", { storage: localStorage });
  const store = new Store();
  store.set({ online: navigator.onLine });
  const tabs = new Tabs();
  const jobs = new Jobs(client, store, localStorage, tabs);
  /** @type {import("./types.js").App} */
  const app = {
    client,
    store,
    tabs,
    jobs,
    purchases: new Purchases(client, store, localStorage),
    draft: new Draft(sessionStorage, localStorage),
    gallery: new Gallery(client, jobs, store),
    visitor: visitor(),
    go,
    goInstead,
  };
  const shell = new Shell(app, document.body);
  shell.show();
  watch(app, shell);
  stock(app);
}

start().catch(() => {
  refill(
    document.body,
    element(
      "main",
      { class: "broken" },
      element("h1", {}, say("broken.title")),
      element("p", {}, say("broken.text")),
      element(
        "button",
        { class: "button primary", on: { click: () => location.reload() } },
        say("broken.again"),
      ),
    ),
  );
});
