/** What is around every view: the head, the ways through the page, the notes; and which view. */

import { element, refill, retext } from "./element.js";
import { icon, mark } from "./icons.js";
import { chooseLanguage, LANGUAGES, language, say } from "./language.js";
import { OVER, PEOPLE, route, VISITORS } from "./router.js";
import { accountView } from "./views/account.js";
import { createView } from "./views/create.js";
import { creditsView } from "./views/credits.js";
import { galleryView } from "./views/gallery.js";
import { ImageDialog } from "./views/image_dialog.js";
import { paymentView } from "./views/payment.js";

/**
 * @typedef {import("./types.js").App} App
 * @typedef {import("./language.js").Language} Language
 * @typedef {(app: App, signal: AbortSignal, id: string) => HTMLElement} View
 */

/** @type {Record<string, View | undefined>} */
const VIEWS = {
  create: createView,
  gallery: galleryView,
  credits: creditsView,
  payment: paymentView,
};
const WAYS = /** @type {const} */ (["create", "gallery", "credits"]);
/** A feed that is away for a moment is nobody's concern. */
const NOTE_MS = 3000;
const NOT_LIVE = ["polling"];

export class Shell {
  #app;
  #body;
  #view = new AbortController();
  #around = new AbortController();
  #shown = "";
  #main = element("main", { id: "main", tabindex: "-1" });
  #dialog;

  /**
   * @param {App} app
   * @param {HTMLElement} body
   */
  constructor(app, body) {
    this.#app = app;
    this.#body = body;
    this.#dialog = new ImageDialog(app);
    addEventListener("hashchange", () => this.#turn());
  }

  /** Draw all of it: at the start, when somebody signs in or out, in another language. */
  show() {
    this.#around.abort();
    this.#around = new AbortController();
    this.#shown = "";
    const person = this.#app.store.state.email !== null;
    document.documentElement.classList.toggle("visitor", !person);
    refill(
      this.#body,
      element("a", { class: "skip", href: "#main", on: { click: skip } }, say("skip")),
      person ? this.#head() : visitorHead(() => this.show()),
      person && this.#note(),
      this.#main,
      this.#dialog.node,
      element("div", { id: "announcements", class: "unseen", role: "status" }),
    );
    this.#turn(true);
  }

  /** Show the view that the address names. @param {boolean} [first] it is no change of view */
  #turn(first = false) {
    const { name, id } = this.#wanted();
    if (name === OVER) {
      const over = this.#shown !== "";
      if (!over) this.#draw("gallery", "");
      this.#dialog.open(id, over);
    } else {
      this.#dialog.close();
      if (`${name}/${id}` !== this.#shown) {
        this.#draw(name, id);
        if (!first) this.#arrive();
      }
    }
    if (this.#app.draft.takeFilled()) document.getElementById("prompt")?.focus();
    this.#mark(name === OVER ? this.#shown.split("/")[0] : name);
  }

  /** The view to show; others than the visitor's wait in the address until there is a person. */
  #wanted() {
    const person = this.#app.store.state.email !== null;
    const { name, id } = route();
    const known = person ? PEOPLE : VISITORS;
    if (known.includes(name)) return { name, id };
    return { name: person ? "create" : this.#app.visitor.email ? "sign-in" : "sign-up", id: "" };
  }

  /** @param {string} name @param {string} id */
  #draw(name, id) {
    this.#view.abort();
    this.#view = new AbortController();
    this.#shown = `${name}/${id}`;
    const { signal } = this.#view;
    const view = VIEWS[name];
    this.#main.className = `view-${view ? name : "account"}`;
    refill(this.#main, view ? view(this.#app, signal, id) : accountView(this.#app, name));
    const heading = this.#main.querySelector("h1")?.textContent ?? "";
    document.title = heading ? `${heading} · Imagify` : "Imagify";
  }

  /** After a change of view: at its top, and in it for those who hear it. */
  #arrive() {
    scrollTo(0, 0);
    // A code is all that such a view is for.
    const code = /** @type {HTMLElement | null} */ (this.#main.querySelector("#code"));
    const heading = this.#main.querySelector("h1");
    heading?.setAttribute("tabindex", "-1");
    (code ?? heading)?.focus({ preventScroll: true });
  }

  /** @param {string} name */
  #mark(name) {
    for (const way of this.#body.querySelectorAll("nav a")) {
      const here = way.getAttribute("href") === `#${name}`;
      if (here) way.setAttribute("aria-current", "page");
      else way.removeAttribute("aria-current");
    }
  }

  #head() {
    const ways = WAYS.map((name) =>
      element(
        "a",
        { href: `#${name}`, "data-testid": `nav-${name}` },
        icon(name),
        element("span", {}, say(`nav.${name}`)),
      ),
    );
    return element(
      "header",
      { class: "head" },
      element("a", { class: "brand", href: "#create" }, mark(), element("span", {}, "Imagify")),
      element("nav", { class: "ways", "aria-label": say("nav.label") }, ways),
      this.#balance(),
      this.#menu(),
    );
  }

  #balance() {
    const available = element("span", { "data-testid": "balance-available" });
    const held = element("span", { class: "held", "data-testid": "balance-held" });
    const link = element(
      "a",
      { class: "balance", href: "#credits", "data-testid": "balance" },
      icon("credits"),
      available,
      held,
    );
    /** @param {import("./state.js").State} state */
    const tell = ({ balance }) => {
      link.classList.toggle("skeleton", !balance);
      retext(available, balance ? say("balance.available", { count: balance.available }) : "…");
      retext(held, balance?.held ? say("balance.held", { count: balance.held }) : "");
    };
    tell(this.#app.store.state);
    this.#app.store.on(tell, this.#around.signal);
    return link;
  }

  #menu() {
    const leave = element(
      "button",
      { type: "button", class: "button quiet", "data-testid": "sign-out" },
      say("menu.sign_out"),
    );
    leave.addEventListener("click", () => {
      const { visitor, draft, tabs, store, jobs, purchases } = this.#app;
      const email = store.state.email ?? "";
      tabs.tell("left", email);
      jobs.forget(email);
      purchases.forget(email);
      visitor.email = "";
      visitor.leaving = true;
      draft.forget();
      this.#app.client.signOut().finally(() => this.#app.go("sign-in"));
    });
    const menu = element(
      "div",
      { id: "menu", class: "menu", popover: "auto" },
      element("p", { class: "menu-email", "data-testid": "email" }, this.#app.store.state.email),
      languages(() => this.show()),
      leave,
    );
    const button = element(
      "button",
      { type: "button", class: "menu-button", popovertarget: "menu", "data-testid": "menu" },
      icon("person"),
      element("span", { class: "unseen" }, say("menu.label")),
    );
    return element("div", { class: "menu-place" }, button, menu);
  }

  /** What is different from usual about how the page hears of changes. */
  #note() {
    const note = element("p", { class: "note-bar", role: "status", "data-testid": "feed-note" });
    let timer = 0;
    /** @param {import("./state.js").State} state */
    const tell = ({ feed, online }) => {
      const away = NOT_LIVE.includes(feed);
      const text = online ? (away ? say("feed.paused") : "") : say("feed.offline");
      clearTimeout(timer);
      timer = setTimeout(() => retext(note, text), text ? NOTE_MS : 0);
    };
    tell(this.#app.store.state);
    this.#app.store.on((state, before) => {
      if (state.feed !== before.feed || state.online !== before.online) tell(state);
    }, this.#around.signal);
    return note;
  }
}

/** @param {Event} event */
function skip(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

/** @param {() => void} changed */
function visitorHead(changed) {
  return element(
    "header",
    { class: "head" },
    element("a", { class: "brand", href: "#sign-in" }, mark(), element("span", {}, "Imagify")),
    languages(changed),
  );
}

/** @param {() => void} changed */
function languages(changed) {
  const names = /** @type {[Language, string][]} */ (Object.entries(LANGUAGES));
  const buttons = names.map(([tag, name]) =>
    element(
      "button",
      {
        type: "button",
        lang: tag,
        "aria-pressed": String(tag === language()),
        "data-testid": `language-${tag}`,
        on: {
          click: () => {
            chooseLanguage(tag, localStorage);
            changed();
            const again = document.querySelector(`[data-testid="language-${tag}"]`);
            /** @type {HTMLElement | null} */ (again)?.focus();
          },
        },
      },
      name,
    ),
  );
  const label = say("language.label");
  return element("div", { class: "languages", role: "group", "aria-label": label }, buttons);
}
