/** Fields with their labels, hints and errors tied together, and buttons that wait. */

import { element, retext } from "./element.js";
import { icon } from "./icons.js";
import { say } from "./language.js";

/**
 * @typedef {HTMLInputElement | HTMLTextAreaElement} Control
 *
 * @typedef {object} Field
 * @property {HTMLElement} node
 * @property {Control} control
 * @property {(text: string | null) => void} complain says what is wrong, or that nothing is
 */

/**
 * A labelled control.
 *
 * @param {object} given
 * @param {string} given.id
 * @param {string} given.label
 * @param {Control} given.control
 * @param {string | HTMLElement | null} [given.hint]
 * @param {HTMLElement | null} [given.beside] such as a button inside the field's frame
 * @returns {Field}
 */
export function field({ id, label, control, hint = null, beside = null }) {
  const hintId = hint ? `${id}-hint` : "";
  const error = element("p", { class: "field-error", id: `${id}-error`, hidden: true });
  control.id = id;
  if (hintId) control.setAttribute("aria-describedby", hintId);
  control.addEventListener("input", () => complain(null));

  /** @param {string | null} text */
  function complain(text) {
    retext(error, text ?? "");
    error.hidden = !text;
    control.toggleAttribute("aria-invalid", false);
    if (text) control.setAttribute("aria-invalid", "true");
    const about = [text ? error.id : "", hintId].filter(Boolean).join(" ");
    if (about) control.setAttribute("aria-describedby", about);
    else control.removeAttribute("aria-describedby");
  }

  const node = element(
    "div",
    { class: "field" },
    element("label", { for: id }, label),
    element("div", { class: "field-box" }, control, beside),
    hint && element("div", { class: "field-hint", id: hintId }, hint),
    error,
  );
  return { node, control, complain };
}

/**
 * A line of text.
 *
 * @param {object} given
 * @param {string} given.id
 * @param {string} given.label
 * @param {string} given.type
 * @param {string} given.autocomplete
 * @param {string} [given.value]
 * @param {string | HTMLElement | null} [given.hint]
 */
export function textField({ id, label, type, autocomplete, value = "", hint = null }) {
  const control = element("input", { type, autocomplete, value, "data-testid": id });
  if (type === "email") control.setAttribute("autocapitalize", "none");
  if (autocomplete === "one-time-code") control.setAttribute("inputmode", "numeric");
  return field({ id, label, control, hint });
}

/**
 * A password that can be looked at.
 *
 * @param {object} given
 * @param {string} given.id
 * @param {string} given.label
 * @param {"current-password" | "new-password"} given.autocomplete
 * @param {HTMLElement | null} [given.hint]
 */
export function passwordField({ id, label, autocomplete, hint = null }) {
  const control = element("input", { type: "password", autocomplete, "data-testid": id });
  const look = element(
    "button",
    { type: "button", class: "look", "aria-pressed": "false", "aria-label": say("field.show") },
    icon("eye"),
  );
  look.addEventListener("click", () => {
    const shown = control.type === "password";
    control.type = shown ? "text" : "password";
    look.setAttribute("aria-pressed", String(shown));
  });
  return field({ id, label, control, hint, beside: look });
}

/**
 * What a new password needs, ticked while it is typed.
 *
 * @returns {{node: HTMLElement, check: (password: string) => boolean}}
 */
export function passwordRules() {
  /** @type {[import("./language.js").Key, (password: string) => boolean][]} */
  const rules = [
    ["password.length", (password) => password.length >= 12],
    ["password.upper", (password) => /\p{Lu}/u.test(password)],
    ["password.lower", (password) => /\p{Ll}/u.test(password)],
    ["password.digit", (password) => /\d/.test(password)],
  ];
  const items = rules.map(([key]) => element("li", {}, icon("check"), say(key)));
  const node = element("ul", { class: "rules" }, items);

  /** @param {string} password */
  function check(password) {
    const kept = rules.map(([, rule]) => rule(password));
    for (const [place, item] of items.entries()) item.classList.toggle("kept", kept[place]);
    return kept.every(Boolean);
  }
  return { node, check };
}

/** Where a form says what is wrong with the whole of it. */
export function formError() {
  const node = element("p", { class: "form-error", role: "alert", "data-testid": "form-error" });
  /** @param {string | null} text */
  const complain = (text) => retext(node, text ?? "");
  return { node, complain };
}

/**
 * Run something for a form that is sent, once at a time.
 *
 * @param {HTMLFormElement} form
 * @param {HTMLButtonElement} button
 * @param {() => Promise<void>} run
 */
export function onSubmit(form, button, run) {
  form.noValidate = true;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.getAttribute("aria-busy") === "true") return;
    form.setAttribute("aria-busy", "true");
    button.classList.add("busy");
    try {
      await run();
    } finally {
      form.removeAttribute("aria-busy");
      button.classList.remove("busy");
    }
  });
}

/** Go to the first field that has an error. @param {HTMLFormElement} form */
export function focusError(form) {
  const wrong = /** @type {HTMLElement | null} */ (form.querySelector('[aria-invalid="true"]'));
  wrong?.closest("details")?.setAttribute("open", "");
  wrong?.focus();
}
