/** What the forms of coming in are made of. */

import { element } from "../element.js";
import {
  focusError,
  formError,
  onSubmit,
  passwordField,
  passwordRules,
  textField,
} from "../forms.js";
import { say } from "../language.js";
import { problem } from "../problems.js";

/**
 * @typedef {import("../types.js").App} App
 * @typedef {import("../forms.js").Field} Field
 * @typedef {import("../language.js").Key} Key
 */

const EMAIL = /^\S+@\S+\.\S+$/;

/**
 * @param {Key} label of its button
 * @param {(Field | null)[]} fields
 * @param {() => Promise<void>} run
 */
export function accountForm(label, fields, run) {
  const error = formError();
  const button = element(
    "button",
    { type: "submit", class: "button primary", "data-testid": "account-submit" },
    say(label),
  );
  const nodes = fields.map((field) => field?.node);
  const form = element("form", {}, nodes, error.node, button);
  onSubmit(form, button, async () => {
    error.complain(null);
    try {
      await run();
    } catch (failure) {
      complain(fields, error, problem(failure));
    }
    focusError(form);
  });
  return form;
}

/**
 * @param {(Field | null)[]} fields
 * @param {ReturnType<typeof formError>} error
 * @param {import("../problems.js").Problem} found
 */
function complain(fields, error, found) {
  const id = /** @type {Record<string, string>} */ ({
    code_mismatch: "code",
    expired_code: "code",
    invalid_password: "new-password",
    username_exists: "email",
    invalid_email: "email",
  })[found.code];
  const about = fields.find((field) => field && field.control.id === id);
  if (about) about.complain(found.text);
  else error.complain(found.text);
}

/** @param {HTMLFormElement} form @param {() => Promise<boolean>} send */
export function resendButton(form, send) {
  const told = element("span", { class: "resent", role: "status", "data-testid": "resent" });
  const button = element(
    "button",
    { type: "button", class: "link", "data-testid": "resend" },
    say("account.resend"),
  );
  button.addEventListener("click", async () => {
    told.textContent = "";
    try {
      if (await send()) told.textContent = say("account.resent");
      else focusError(form);
    } catch (failure) {
      told.textContent = problem(failure).text;
    }
  });
  return element("span", {}, button, " ", told);
}

/** @param {App} app */
export function emailField(app) {
  const value = app.visitor.email;
  return textField({
    id: "email",
    label: say("account.email"),
    type: "email",
    autocomplete: "username",
    value,
  });
}

export function codeField() {
  return textField({
    id: "code",
    label: say("account.code"),
    type: "text",
    autocomplete: "one-time-code",
  });
}

/** @returns {[Field, (password: string) => boolean]} */
export function newPasswordField() {
  const rules = passwordRules();
  const made = passwordField({
    id: "new-password",
    label: say("account.new_password"),
    autocomplete: "new-password",
    hint: rules.node,
  });
  made.control.addEventListener("input", () => rules.check(made.control.value));
  return [made, rules.check];
}

/** @param {App} app */
export function sentTo({ visitor }) {
  return visitor.email ? say("account.sent_to", { email: visitor.email }) : say("account.sent");
}

/** @param {Field} email */
export function checkEmail(email) {
  const value = email.control.value.trim();
  if (!EMAIL.test(value))
    email.complain(say(value ? "error.invalid_email" : "account.email_missing"));
  return EMAIL.test(value);
}

/** @param {Field} field @param {Key} missing */
export function checkPresent(field, missing) {
  const there = field.control.value.trim() !== "";
  if (!there) field.complain(say(missing));
  return there;
}

/** @param {string} path @param {Key} key */
export function way(path, key) {
  return element("a", { href: `#${path}`, "data-testid": `way-${path}` }, say(key));
}
