// What is shown of keys: a tree of folders, and one key's value, which can be changed.

import { h } from "./dom.js";
import { matches } from "./model.js";
import { count, link, some } from "./views.js";
import { reason, request } from "./watch.js";

const open = new Set();

/** The keys that the filter finds: flat with a filter, else folders; `redraw` after opening one. */
export function keyList(keys, filter, chosen, redraw) {
  const add = h("a", { class: "button add", href: "#/new-key", "data-key": "\0new" }, "New key");
  const found = filter ? keys.filter((key) => matches(filter, [key])) : keys;
  if (found.length === 0) {
    return [add, h("p", { class: "empty" }, filter ? "No key matches the filter." : "There are no keys.")];
  }
  const rows = filter ? found.map((key) => [key, key]) : null;
  return [add, h("ul", { class: "rows tree", "aria-label": "Keys", "data-key": "\0tree" },
    rows ? some(rows, ([key, name]) => leaf(key, name, chosen)) : folder("", keys, chosen, redraw))];
}

function leaf(key, name, chosen) {
  return h("li", { "data-key": `key ${key}` }, h("a", {
    class: "row key",
    href: link("keys", key),
    "aria-current": key === chosen ? "true" : null,
  }, h("span", { class: "name" }, name)));
}

/** What is directly below a prefix: folders first. */
function folder(prefix, keys, chosen, redraw) {
  const folders = new Map();
  const leaves = [];
  for (const key of keys) {
    const rest = key.slice(prefix.length);
    const slash = rest.indexOf("/");
    // A key that ends with a slash stands for its folder and may have a value itself.
    if (slash < 0 || rest === "") {
      leaves.push(key);
    } else {
      const name = prefix + rest.slice(0, slash + 1);
      if (!folders.has(name)) folders.set(name, []);
      folders.get(name).push(key);
    }
  }
  const drawn = [...folders].map(([name, inside]) => ({ name, inside }));
  return some([...drawn, ...leaves], (item) => {
    if (typeof item === "string") {
      return leaf(item, item.slice(prefix.length) || "(the folder itself)", chosen);
    }
    const { name, inside } = item;
    const shown = open.has(name) || (chosen ?? "").startsWith(name);
    const toggle = () => {
      if (!open.delete(name)) open.add(name);
      redraw();
    };
    return h("li", { "data-key": `folder ${name}` },
      h("button", { class: "row folder", type: "button", "aria-expanded": String(shown), onclick: toggle },
        h("span", { class: "name" }, name.slice(prefix.length)),
        h("span", { class: "figure" }, String(inside.length))),
      shown && h("ul", { class: "rows" }, folder(name, inside, chosen, redraw)));
  });
}

/** All of the key in one segment: `a/../b` would be another path. */
const path = (key) => `/v1/kv/${encodeURIComponent(key)}`;

/**
 * One key's value with a form to change it. It belongs to itself: drawing the page anew does not
 * touch what is being typed.
 */
export class KeyEditor {
  #key;
  #pair = null;
  #seen = null;
  #area;
  #name;
  #note;
  #facts;
  #buttons;
  /** The first of two clicks has been made. */
  #sure = false;
  #gone = false;
  /** A change is under way. */
  #asking = false;
  #looks = 0;

  /** `key` is `null` for a new one; `moved` is called with a new one's name, and with `null` when
   * the key has been deleted. */
  constructor(key, moved) {
    this.#key = key;
    this.#note = h("p", { class: "note", role: "status" });
    this.#facts = h("p", { class: "about" });
    this.#area = h("textarea", { id: "value", rows: 12, spellcheck: "false", "aria-label": "Value" });
    this.#area.addEventListener("input", () => this.#draw());
    this.#name = h("input", {
      id: "key", type: "text", "aria-label": "Key", placeholder: "path/of/the/key",
      autocomplete: "off", spellcheck: "false",
    });
    const save = h("button", { type: "submit", class: "button main", id: "save" }, key === null ? "Create" : "Save");
    const undo = h("button", { type: "button", class: "button", id: "undo" }, "Undo");
    const remove = h("button", { type: "button", class: "button danger", id: "delete" }, "Delete");
    this.#buttons = { save, undo, remove };
    undo.onclick = () => this.#take();
    remove.onclick = () => this.#remove(moved);
    this.element = h("form", { class: "editor" }, key === null && this.#name, this.#facts, this.#area,
      h("div", { class: "buttons" }, save, key !== null && [undo, remove]), this.#note);
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save(moved);
    });
    this.#draw();
  }

  /** Looks at what the catalog has now. */
  async refresh() {
    if (this.#key === null || this.#asking) return;
    this.#looks += 1;
    const look = this.#looks;
    try {
      const response = await request(path(this.#key));
      const [pair] = response.status === 404 ? [null] : await response.json();
      // Another look may have overtaken this one.
      if (look === this.#looks && !this.#asking) this.#learn(pair);
    } catch (error) {
      this.#say(`It cannot be read: ${reason(error)}.`);
    }
    this.#draw();
  }

  #learn(pair) {
    const before = this.#gone ? null : this.#pair?.ModifyIndex;
    this.#gone = !pair;
    this.#pair = pair ?? this.#pair;
    if (!pair) {
      this.#say(this.#seen ? "The key was deleted. Saving brings it back." : "There is no such key.");
    } else if (before !== pair.ModifyIndex) {
      if (this.#dirty()) this.#say("It was changed meanwhile. Undo shows the new value.");
      else this.#take();
    }
  }

  #dirty() {
    return this.#seen !== null && this.#area.value !== this.#seen.text;
  }

  /** Shows the catalog's value and forgets what was typed. */
  #take() {
    if (!this.#pair) return;
    this.#seen = decode(this.#pair.Value);
    if (this.#area.value !== this.#seen.text) {
      this.#area.value = this.#seen.text;
      this.#say("");
    }
    this.#draw();
  }

  async #save(moved) {
    const key = this.#key ?? this.#name.value.replace(/^\/+/, "");
    if (!key) {
      this.#say("A key needs a name.");
      return;
    }
    // 0: only if there is none.
    const cas = this.#gone || !this.#pair ? 0 : this.#pair.ModifyIndex;
    const flags = this.#pair?.Flags ? `&flags=${this.#pair.Flags}` : "";
    const text = this.#area.value;
    const conflict = this.#key === null
      ? "There is such a key already."
      : "Not saved: it was changed meanwhile. Undo shows the new value.";
    const url = `${path(key)}?cas=${cas}${flags}`;
    const saved = await this.#ask(url, { method: "PUT", body: text }, conflict);
    if (saved && this.#key === null) {
      moved(key);
      return;
    }
    if (saved) {
      this.#seen = { ...this.#seen, text };
      this.#say("Saved.");
    }
    await this.refresh();
  }

  async #remove(moved) {
    this.#sure = !this.#sure;
    if (!this.#sure) {
      const url = `${path(this.#key)}?cas=${this.#pair.ModifyIndex}`;
      const deleted = await this.#ask(url, { method: "DELETE" }, "Not deleted: it was changed meanwhile.");
      if (deleted) {
        moved(null);
        return;
      }
      await this.refresh();
    }
    this.#draw();
  }

  /** Asks for a change; the catalog answers `true` or `false`. Says why if there is none. */
  async #ask(url, options, conflict) {
    this.#asking = true;
    try {
      const response = await request(url, options);
      const done = (await response.text()).trim() === "true";
      if (!done) this.#say(conflict);
      return done;
    } catch (error) {
      this.#say(`The catalog refuses: ${reason(error)}.`);
      return false;
    } finally {
      this.#asking = false;
    }
  }

  #say(text) {
    this.#note.textContent = text;
  }

  #draw() {
    const { save, undo, remove } = this.#buttons;
    const dirty = this.#dirty();
    const editable = this.#key === null || (this.#seen?.editable ?? false);
    this.#area.readOnly = !editable;
    save.disabled = this.#key !== null && !(editable && (dirty || this.#gone));
    undo.disabled = !dirty;
    remove.disabled = !this.#pair || this.#gone;
    remove.textContent = this.#sure ? "Delete it?" : "Delete";
    if (!this.#pair) return;
    const { ModifyIndex, Flags, Session } = this.#pair;
    this.#facts.textContent = [
      count(this.#seen?.size ?? 0, "byte"),
      `changed at index ${ModifyIndex}`,
      Flags ? `flags ${Flags}` : "",
      Session ? `locked by session ${Session}` : "",
      this.#seen && !this.#seen.editable ? "no text: shown in hexadecimal" : "",
    ].filter(Boolean).join(" · ");
  }
}

/** A value as text, if it is text that survives being edited. */
function decode(base64) {
  const bytes = Uint8Array.from(atob(base64 ?? ""), (character) => character.charCodeAt(0));
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    // A text area makes other ends of lines its own.
    if (!/[\0\r]/.test(text)) return { text, size: bytes.length, editable: true };
  } catch {
    // No UTF-8.
  }
  const hex = Array.from(bytes.slice(0, 4096), (byte) => byte.toString(16).padStart(2, "0"));
  const text = hex.join(" ") + (bytes.length > 4096 ? " …" : "");
  return { text, size: bytes.length, editable: false };
}

/** The frame of a key's page (`null`: of a new one); the editor goes into the element with
 * `data-own`. */
export function keyDetail(key) {
  return [
    h("a", { class: "back", href: link("keys"), "data-key": "\0back" }, "‹ All keys"),
    h("h2", null, key ?? "New key"),
    h("div", { "data-own": true, "data-key": `editor ${key}` }),
  ];
}
