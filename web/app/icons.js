/** Small pictures: outlines on a 24 × 24 grid, and the mark. All are for the eye alone. */

import { drawing } from "./element.js";

const PATHS = {
  create: "M12 5v14M5 12h14",
  gallery: "M4 5h7v6H4zM13 5h7v9h-7zM4 13h7v6H4zM13 16h7v3h-7z",
  credits:
    "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8.2l1.1 2.7 2.7 1.1-2.7 1.1-1.1 2.7-1.1-2.7L8.2 12l2.7-1.1z",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM5 20c.6-3.4 3.4-5.4 7-5.4s6.4 2 7 5.4",
  download: "M12 4v11M7.5 11 12 15.5 16.5 11M5 20h14",
  again: "M19 12a7 7 0 1 1-2.2-5.1M19 4v4h-4",
  close: "M6 6l12 12M18 6 6 18",
  back: "M14.5 5 8 12l6.5 7",
  forward: "M9.5 5 16 12l-6.5 7",
  check: "M5 12.5 10 17.5 19 7.5",
  wait: "M12 7v5l3.5 2M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16z",
  warn: "M12 8.5v4.5M12 16.200v.1M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16z",
  eye: "M3 12c2-4 5.2-6 9-6s7 2 9 6c-2 4-5.2 6-9 6s-7-2-9-6zM12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z",
};

/** @param {keyof typeof PATHS} name */
export function icon(name) {
  const attributes = { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" };
  return drawing("svg", attributes, drawing("path", { d: PATHS[name] }));
}

/** The mark: the sun over a hill, as in the landscape that dawns while an image is made. */
export function mark() {
  return drawing(
    "svg",
    { class: "mark", viewBox: "0 0 32 32", "aria-hidden": "true" },
    drawing("rect", { class: "mark-sky", width: 32, height: 32, rx: 9 }),
    drawing("circle", { class: "mark-sun", cx: 19, cy: 12, r: 5 }),
    drawing("path", {
      class: "mark-hill",
      d: "M0 22c4.5-4.5 9-4.5 13.5-.8S24.5 25.5 32 20v3a9 9 0 0 1-9 9H9a9 9 0 0 1-9-9z",
    }),
  );
}
