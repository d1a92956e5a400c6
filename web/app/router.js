/**
 * Which view is shown: the address's hash, such as `#gallery` or `#image/job_…`.
 *
 * @typedef {{name: string, id: string}} Route
 */

/** Shown over the view that was there before. */
export const OVER = "image";
export const PEOPLE = ["create", "gallery", "credits", "payment", OVER];
export const VISITORS = ["sign-in", "sign-up", "confirm", "forgot", "reset"];

/** The address's; one that cannot be read is no view's. @returns {Route} */
export function route() {
  const [name = "", id = ""] = location.hash.slice(1).split("/");
  try {
    return { name, id: decodeURIComponent(id) };
  } catch {
    return { name: "", id: "" };
  }
}

/** @param {string} path such as `gallery` */
export function go(path) {
  location.hash = `#${path}`;
}

/** Go there, and leave no way back to here. @param {string} path */
export function goInstead(path) {
  location.replace(`#${path}`);
}

/**
 * Take a payment's reference out of the address that VNPAY's way back has: what is left is a
 * route, and a reload does not come back from VNPAY again.
 */
export function takeReturn() {
  const given = new URLSearchParams(location.search);
  const txnRef = given.get("txn_ref");
  if (!txnRef) return;
  const path = `${location.pathname}#payment/${encodeURIComponent(txnRef)}`;
  history.replaceState({ outcome: given.get("outcome") }, "", path);
}
