/**
 * Builds DOM from values: text is always text, never markup.
 *
 * @typedef {Node | string | null | undefined | false} Child
 * @typedef {Record<string, unknown> & {
 *   on?: Record<string, (event: any) => void>,
 *   vars?: Record<string, string | number>,
 * }} Properties
 */

const SVG = "http://www.w3.org/2000/svg";
/** Properties of controls that their attributes only start. */
const LIVE = new Set(["value", "checked", "disabled", "open", "hidden"]);

/**
 * An element: attributes as named, `on` its listeners, `vars` its custom properties. `null`,
 * `undefined` and `false` leave an attribute out, and so does a child.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Properties} [properties]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  dress(made, properties);
  made.append(.../** @type {(Node | string)[]} */ (children.flat().filter(present)));
  return made;
}

/**
 * An SVG element.
 *
 * @template {keyof SVGElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string | number>} [attributes]
 * @param {...SVGElement} children
 * @returns {SVGElementTagNameMap[T]}
 */
export function drawing(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/**
 * Put these children in place of what is there.
 *
 * @param {Element} parent
 * @param {...(Child | Child[])} children
 */
export function refill(parent, ...children) {
  parent.replaceChildren(.../** @type {(Node | string)[]} */ (children.flat().filter(present)));
}

/**
 * Bring these nodes, and no others, into this order, without touching those that are in place.
 *
 * @param {Element} list
 * @param {Element[]} nodes
 */
export function arrange(list, nodes) {
  const wanted = new Set(nodes);
  for (const node of [...list.children]) if (!wanted.has(node)) node.remove();
  for (const [place, node] of nodes.entries()) {
    if (list.children[place] !== node) list.insertBefore(node, list.children[place] ?? null);
  }
}

/**
 * Change a text only when it is another one, so that nothing is read out or laid out again.
 *
 * @param {Element} where
 * @param {string} text
 */
export function retext(where, text) {
  if (where.textContent !== text) where.textContent = text;
}

/**
 * @param {HTMLElement} made
 * @param {Properties} properties
 */
function dress(made, { on = {}, vars = {}, ...attributes }) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (LIVE.has(name)) Object.assign(made, { [name]: value });
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  for (const [name, value] of Object.entries(vars)) made.style.setProperty(name, String(value));
  for (const [name, listener] of Object.entries(on)) made.addEventListener(name, listener);
}

/** @param {Child} child */
function present(child) {
  return child !== null && child !== undefined && child !== false;
}
