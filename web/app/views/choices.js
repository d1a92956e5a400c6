/** The form's choices among a few: the model, and the shape of the image. */

import { drawing, element, retext } from "../element.js";
import { known, number, say } from "../language.js";

/**
 * @typedef {import("../types.js").Model} Model
 * @typedef {Model["sizes"][number]} Size
 */

const SHAPE_MAX = 24;

/**
 * Which model draws; with only one there is nothing to choose, and it is named.
 *
 * @param {Model[]} models
 * @param {string} chosen
 * @param {(model: Model) => void} choose
 */
export function modelChoice(models, chosen, choose) {
  if (models.length === 1) {
    return element(
      "p",
      { class: "only-model", "data-testid": "model" },
      element("span", { class: "label" }, say("form.model")),
      element("span", {}, models[0].title),
    );
  }
  const options = models.map((model) =>
    element(
      "label",
      { class: "model" },
      element("input", {
        type: "radio",
        name: "model",
        value: model.model,
        checked: model.model === chosen,
        on: { change: () => choose(model) },
      }),
      element("span", { class: "model-title" }, model.title),
      element(
        "span",
        { class: "model-price" },
        say("credits.count", { count: model.cost_credits }),
      ),
    ),
  );
  return element(
    "fieldset",
    { class: "models", "data-testid": "model" },
    element("legend", {}, say("form.model")),
    options,
  );
}

/**
 * Which shape the image has: each drawn, the wide ones before the tall ones.
 *
 * @param {Size[]} sizes
 * @param {string} chosen
 * @param {(ratio: string) => void} choose
 */
export function shapeChoice(sizes, chosen, choose) {
  const exact = element("span", { class: "legend-value", "data-testid": "size" });
  /** @param {Size} size */
  const tell = ({ aspect_ratio, width, height }) =>
    retext(exact, `${aspect_ratio} · ${number(width)} × ${number(height)}`);
  const options = [...sizes].sort(byShape).map((size) =>
    element(
      "label",
      { class: "shape", title: size.aspect_ratio },
      element("input", {
        type: "radio",
        name: "shape",
        value: size.aspect_ratio,
        checked: size.aspect_ratio === chosen,
        on: {
          change: () => {
            tell(size);
            choose(size.aspect_ratio);
          },
        },
      }),
      drawn(size),
      element("span", {}, shapeName(size)),
    ),
  );
  tell(sizes.find((size) => size.aspect_ratio === chosen) ?? sizes[0]);
  return element(
    "fieldset",
    { class: "shapes", "data-testid": "shapes" },
    element("legend", {}, say("form.shape"), " ", exact),
    element("div", { class: "shape-list" }, options),
  );
}

/** @param {Size} size */
export function shapeName({ aspect_ratio, width, height }) {
  const key = `shape.${aspect_ratio}`;
  if (known(key)) return say(key);
  return say(width > height ? "shape.wide" : "shape.tall");
}

/** From the square outwards: wider and wider, then taller and taller. @param {Size} one @param {Size} other */
function byShape(one, other) {
  const [a, b] = [one.width / one.height, other.width / other.height];
  if (a >= 1 !== b >= 1) return a >= 1 ? -1 : 1;
  return a >= 1 ? a - b : b - a;
}

/** @param {Size} size */
function drawn({ width, height }) {
  const scale = SHAPE_MAX / Math.max(width, height);
  const [w, h] = [width * scale, height * scale];
  const box = SHAPE_MAX + 4;
  return drawing(
    "svg",
    { class: "shape-drawn", viewBox: `0 0 ${box} ${box}`, "aria-hidden": "true" },
    drawing("rect", { x: (box - w) / 2, y: (box - h) / 2, width: w, height: h, rx: 2.5 }),
  );
}
