// Elements from data, and bringing those that are shown up to date. Data becomes text or the value
// of an attribute, never markup.

/**
 * An element. Attributes that are `null`, `undefined` or `false` are left out, functions
 * (`onclick`) become properties. Children are elements, texts, numbers, lists of those, or nothing.
 */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === "function") {
      element[name] = value;
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) {
      element.append(child instanceof Node ? child : String(child));
    }
  }
  return element;
}

/**
 * Makes the children of `live` what `children` are, keeping the elements that are there: focus,
 * selected text, scroll positions and what a user has opened stay. Elements with the same
 * `data-key` are the same one; what is in an element with `data-own` is left alone.
 */
export function show(live, ...children) {
  morphChildren(live, h("div", null, ...children));
}

/** What a user changes; new data does not change it back. */
const USERS = new Set(["open"]);

function morph(live, fresh) {
  if (live.nodeType === Node.TEXT_NODE) {
    if (live.data !== fresh.data) live.data = fresh.data;
    return;
  }
  for (const { name } of [...live.attributes]) {
    if (!fresh.hasAttribute(name) && !USERS.has(name)) live.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (live.getAttribute(name) !== value && !USERS.has(name)) live.setAttribute(name, value);
  }
  live.onclick = fresh.onclick;
  // What is inside of it is somebody else's.
  if (!fresh.hasAttribute("data-own")) morphChildren(live, fresh);
}

function morphChildren(live, fresh) {
  const staying = new Set([...fresh.children].map((child) => child.dataset.key));
  const keyed = new Map();
  for (const child of [...live.children]) {
    const { key } = child.dataset;
    if (key === undefined) continue;
    // Before anything is placed, so that those who stay need not move: moving takes the focus.
    if (staying.has(key)) keyed.set(key, child);
    else child.remove();
  }
  let at = live.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const key = wanted.dataset?.key;
    const match = key === undefined ? (same(at, wanted) ? at : null) : keyed.get(key);
    if (match && match.nodeName === wanted.nodeName) {
      if (match === at) at = at.nextSibling;
      else live.insertBefore(match, at);
      morph(match, wanted);
    } else {
      live.insertBefore(wanted, at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function same(live, fresh) {
  return live && live.nodeName === fresh.nodeName && live.dataset?.key === undefined;
}
