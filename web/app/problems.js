/** What went wrong, in the reader's language, and which field it is about. */

import { known, say } from "./language.js";

const FIELDS = ["negative_prompt", "prompt", "seed", "aspect_ratio", "model"];

/**
 * @typedef {object} Problem
 * @property {string} text a sentence for people
 * @property {string | null} field the API's name of the field that it is about
 * @property {number} status 0 when there was no answer
 * @property {string} code
 */

/**
 * @param {unknown} error
 * @param {Record<string, string | number>} [values] for the sentence
 * @returns {Problem}
 */
export function problem(error, values = {}) {
  const { status = 0, code: given = "", errors = null } = /** @type {any} */ (error);
  const code = String(given); // an abort has a number there
  const field = errors?.[0]?.field ?? FIELDS.find((name) => code.includes(name)) ?? null;
  return { text: sentence(code, status, field, values), field, status, code };
}

/**
 * @param {string} code
 * @param {number} status
 * @param {string | null} field
 * @param {Record<string, string | number>} values
 */
function sentence(code, status, field, values) {
  const key = `error.${code}`;
  if (known(key)) return say(key, values);
  if (status === 0) return say("error.no_answer");
  if (status === 401) return say("error.signed_out");
  if (status === 429) return say("error.too_many");
  if (status >= 500) return say("error.server");
  return say(field ? "error.field" : "error.other");
}
