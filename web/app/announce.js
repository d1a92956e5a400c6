/** What is said to those who hear the page: changes, gathered, and never a percentage. */

const GATHER_MS = 600;
const QUIET_MS = 7000;
/** @type {string[]} */
let waiting = [];
let quiet = 0;

/** @param {string} text */
export function announce(text) {
  if (waiting.includes(text)) return;
  waiting.push(text);
  if (waiting.length === 1) setTimeout(tell, GATHER_MS);
}

function tell() {
  const region = document.getElementById("announcements");
  if (region) region.textContent = waiting.join(" ");
  waiting = [];
  clearTimeout(quiet);
  // The same may be said again later, and whoever reads along does not find old news.
  quiet = setTimeout(() => region?.replaceChildren(), QUIET_MS);
}
