/** Coming in: signing up, the code by e-mail, signing in, a forgotten password. */

import { element } from "../element.js";
import { passwordField } from "../forms.js";
import { say } from "../language.js";
import { problem } from "../problems.js";
import { scene } from "../scene.js";
import {
  accountForm,
  checkEmail,
  checkPresent,
  codeField,
  emailField,
  newPasswordField,
  resendButton,
  sentTo,
  way,
} from "./account_form.js";

/**
 * @typedef {import("../types.js").App} App
 * @typedef {import("../language.js").Key} Key
 */

/** @type {Record<string, (app: App) => (HTMLElement | null)[]>} */
const FORMS = { "sign-in": signIn, "sign-up": signUp, confirm, forgot, reset };

/** @param {App} app @param {string} name of the form */
export function accountView(app, name) {
  const note = app.visitor.note;
  app.visitor.note = null;
  return element(
    "div",
    { class: "account" },
    element(
      "div",
      { class: "account-hero", vars: { "--level": 0.9 } },
      scene(),
      element(
        "div",
        { class: "account-words" },
        element("p", { class: "headline" }, say("hero.headline")),
        element("p", {}, say("hero.text")),
      ),
    ),
    element(
      "section",
      { class: "account-form", "data-testid": name },
      note &&
        element("p", { class: "notice", role: "status", "data-testid": "account-note" }, say(note)),
      FORMS[name](app),
    ),
  );
}

/** @param {App} app */
function signIn(app) {
  const email = emailField(app);
  const password = passwordField({
    id: "password",
    label: say("account.password"),
    autocomplete: "current-password",
  });
  const form = accountForm("account.sign_in", [email, password], async () => {
    if (!(checkEmail(email) && checkPresent(password, "account.password_missing"))) return;
    app.visitor.email = email.control.value.trim();
    try {
      await app.client.signIn(app.visitor.email, password.control.value);
      app.visitor.password = "";
    } catch (error) {
      if (problem(error).code !== "user_not_confirmed") throw error;
      app.visitor.password = password.control.value;
      await sendCode(app);
      app.go("confirm");
    }
  });
  return [
    element("h1", {}, say("account.sign_in_title")),
    form,
    element(
      "p",
      { class: "account-ways" },
      way("forgot", "account.forgot"),
      element("span", {}, say("account.new_here"), " ", way("sign-up", "account.sign_up_way")),
    ),
  ];
}

/** @param {App} app */
function signUp(app) {
  const email = emailField(app);
  const [password, check] = newPasswordField();
  const form = accountForm("account.sign_up", [email, password], async () => {
    if (!checkEmail(email)) return;
    if (!check(password.control.value)) return password.complain(say("error.invalid_password"));
    app.visitor.email = email.control.value.trim();
    app.visitor.password = password.control.value;
    await app.client.signUp(app.visitor.email, app.visitor.password);
    app.go("confirm");
  });
  return [
    element("h1", {}, say("account.sign_up_title")),
    form,
    element(
      "p",
      { class: "account-ways" },
      element("span", {}, say("account.have_one"), " ", way("sign-in", "account.sign_in_way")),
    ),
  ];
}

/** @param {App} app */
function confirm(app) {
  const email = app.visitor.email ? null : emailField(app);
  const code = codeField();
  const form = accountForm("account.confirm", [email, code], async () => {
    if ((email && !checkEmail(email)) || !checkPresent(code, "account.code_missing")) return;
    if (email) app.visitor.email = email.control.value.trim();
    try {
      await app.client.confirm(app.visitor.email, code.control.value.replace(/\s/g, ""));
    } catch (error) {
      // So Cognito says of an address that is confirmed already, such as in another tab.
      if (problem(error).code !== "not_authorized") throw error;
    }
    await enter(app, "account.confirmed");
  });
  return [
    element("h1", {}, say("account.confirm_title")),
    element("p", {}, sentTo(app)),
    form,
    element(
      "p",
      { class: "account-ways" },
      resendButton(form, async () => {
        if (email && !checkEmail(email)) return false;
        if (email) app.visitor.email = email.control.value.trim();
        await app.client.resendCode(app.visitor.email);
        return true;
      }),
      way("sign-in", "account.sign_in_instead"),
    ),
  ];
}

/** @param {App} app */
function forgot(app) {
  const email = emailField(app);
  const form = accountForm("account.send_code", [email], async () => {
    if (!checkEmail(email)) return;
    app.visitor.email = email.control.value.trim();
    await app.client.forgotPassword(app.visitor.email);
    app.go("reset");
  });
  return [
    element("h1", {}, say("account.forgot_title")),
    element("p", {}, say("account.forgot_text")),
    form,
    element("p", { class: "account-ways" }, way("sign-in", "account.sign_in_instead")),
  ];
}

/** @param {App} app */
function reset(app) {
  const email = app.visitor.email ? null : emailField(app);
  const code = codeField();
  const [password, check] = newPasswordField();
  const form = accountForm("account.reset", [email, code, password], async () => {
    if ((email && !checkEmail(email)) || !checkPresent(code, "account.code_missing")) return;
    if (!check(password.control.value)) return password.complain(say("error.invalid_password"));
    if (email) app.visitor.email = email.control.value.trim();
    const given = code.control.value.replace(/\s/g, "");
    await app.client.resetPassword(app.visitor.email, given, password.control.value);
    app.visitor.password = password.control.value;
    await enter(app, "account.reset_done");
  });
  return [
    element("h1", {}, say("account.reset_title")),
    element("p", {}, sentTo(app)),
    form,
    element(
      "p",
      { class: "account-ways" },
      resendButton(form, async () => {
        if (email && !checkEmail(email)) return false;
        await app.client.forgotPassword(email?.control.value.trim() ?? app.visitor.email);
        return true;
      }),
      way("sign-in", "account.sign_in_instead"),
    ),
  ];
}

/** Sign in with what was just set, or ask for it when a reload has forgotten it. */
/** @param {App} app @param {Key} note */
async function enter(app, note) {
  const { email, password } = app.visitor;
  app.visitor.password = "";
  if (password) {
    const entered = await app.client.signIn(email, password).then(
      () => true,
      () => false,
    );
    if (entered) return;
  }
  app.visitor.note = note;
  app.go("sign-in");
}

/** Another code, for somebody who left before typing the first. @param {App} app */
async function sendCode(app) {
  try {
    await app.client.resendCode(app.visitor.email);
  } catch {
    // The code that they have may still work, and the next form sends others.
  }
}
