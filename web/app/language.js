/** The language of the page: its words, numbers, dates and prices. */

import { words as en } from "../words/en.js";
import { words as vi } from "../words/vi.js";

/**
 * @typedef {keyof typeof en} Key
 * @typedef {"vi" | "en"} Language
 */

/** What each language calls itself. @type {Record<Language, string>} */
export const LANGUAGES = { vi: "Tiếng Việt", en: "English" };

const STORED = "imagify.language";
/** @type {Record<Language, Record<Key, string>>} */
const WORDS = { vi, en };
/** en-GB: day before month, as people in Vietnam read dates. @type {Record<Language, string>} */
const LOCALES = { vi: "vi-VN", en: "en-GB" };
const SUFFIXES = /** @type {Record<string, string>} */ ({ one: "st", two: "nd", few: "rd" });

/** @type {Language} */
let current = "en";

/** The language that is spoken now. */
export const language = () => current;

/**
 * The language chosen before, else the first of the browser's that there is.
 *
 * @param {Storage} storage
 * @param {readonly string[]} wanted BCP 47 tags, such as those of `navigator.languages`
 */
export function startLanguage(storage, wanted) {
  const tags = [storage.getItem(STORED) ?? "", ...wanted].map((tag) => tag.slice(0, 2));
  const found = tags.find((tag) => tag in WORDS);
  speak(/** @type {Language} */ (found ?? "en"));
}

/**
 * Speak another language, and remember it.
 *
 * @param {Language} chosen
 * @param {Storage} storage
 */
export function chooseLanguage(chosen, storage) {
  storage.setItem(STORED, chosen);
  speak(chosen);
}

/** @param {Language} chosen */
function speak(chosen) {
  current = chosen;
  document.documentElement.lang = chosen;
}

/**
 * A sentence, with `{name}` filled in. Of `one | other` the value `count` picks the form.
 *
 * @param {Key} key
 * @param {Record<string, string | number>} [values]
 */
export function say(key, values = {}) {
  const forms = WORDS[current][key].split(" | ");
  const plural = new Intl.PluralRules(LOCALES[current]);
  const one = forms.length > 1 && plural.select(Number(values.count)) === "one";
  const form = (one ? forms[0] : forms.at(-1)) ?? "";
  return form.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name] ?? "";
    return typeof value === "number" ? number(value) : value;
  });
}

/**
 * Whether there are words for that, such as for a code that came in.
 *
 * @param {string} key
 * @returns {key is Key}
 */
export const known = (key) => Object.hasOwn(en, key);

/** @param {number} value */
export const number = (value) => new Intl.NumberFormat(LOCALES[current]).format(value);

/** A change, with its sign. @param {number} value */
export const signed = (value) =>
  new Intl.NumberFormat(LOCALES[current], { signDisplay: "exceptZero" })
    .format(value)
    .replace("-", "−");

/** Of a whole, such as 0.46. @param {number} value */
export const share = (value) =>
  new Intl.NumberFormat(LOCALES[current], { style: "percent" }).format(value);

/** An amount of VND, which has no decimals. @param {number} value */
export const vnd = (value) =>
  new Intl.NumberFormat(LOCALES[current], { style: "currency", currency: "VND" }).format(value);

/** Day and time of an RFC 3339 moment, where the reader is. @param {string} moment */
export const dateTime = (moment) =>
  new Intl.DateTimeFormat(LOCALES[current], { dateStyle: "medium", timeStyle: "short" }).format(
    new Date(moment),
  );

/** `3rd` in English; Vietnamese puts a word before the number. @param {number} place */
export function ordinal(place) {
  if (current === "vi") return number(place);
  const form = new Intl.PluralRules("en", { type: "ordinal" }).select(place);
  return `${number(place)}${SUFFIXES[form] ?? "th"}`;
}
