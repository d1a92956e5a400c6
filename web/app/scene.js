/** A landscape that dawns as an image is made: the sun rises, the hills come up. */

import { drawing, element } from "./element.js";

const HILLS = [
  "M0 62 C18 48 30 52 46 60 S78 70 100 52 V150 H0 Z",
  "M0 76 C16 70 34 60 52 72 S84 80 100 70 V150 H0 Z",
  "M0 88 C22 80 36 86 56 88 S88 82 100 86 V150 H0 Z",
];

/** Its `--level`, from 0 (night) to 1 (day), is set on an element around it. */
export function scene() {
  const hills = HILLS.map((d, place) => drawing("path", { class: `hill-${place + 1}`, d }));
  // Stretched, so that sun and hills are in the picture whatever its shape.
  const whole = { class: "scene-hills", viewBox: "0 0 100 100", preserveAspectRatio: "none" };
  return element(
    "div",
    { class: "scene", "aria-hidden": "true" },
    element("div", { class: "scene-sun" }),
    drawing("svg", { ...whole, overflow: "visible" }, ...hills),
  );
}
