// The page of the catalog: what it knows, and drawing it.
//
// Two watches follow the catalog, one its services and nodes, one its keys. Each answer replaces
// what is known; then the page is drawn from that, from the filter, and from where the address
// says that the user is (`#/services/NAME`). Nothing else is kept, so there is nothing that could
// differ from the catalog for longer than an answer takes.

import { h, show } from "./dom.js";
import { KeyEditor, keyDetail, keyList } from "./keys.js";
import { changes, instances, snapshot, tally } from "./model.js";
import { count, link, nodeDetail, nodeList, overview, serviceDetail, serviceList, time } from "./views.js";
import { Watch, request } from "./watch.js";

/** So many changes are remembered. */
const REMEMBERED = 50;
/** The page's address names a tab and perhaps something on it. */
const TABS = { services: "Services", nodes: "Nodes", keys: "Keys" };

const element = (id) => document.getElementById(id);
const filterBox = element("filter");
const desk = matchMedia("(min-width: 60rem)");

/** What is known of the catalog, `null` before the first answer; since when it is known, and when
 * that has changed. */
const known = { shot: null, keys: null, since: null, changed: null };
/** The latest first. */
const log = [];
let told = 0;
let editor = null;

const states = { catalog: { kind: "connecting" }, keys: { kind: "connecting" } };
const watches = {
  catalog: new Watch("/v1/internal/ui/nodes", learnCatalog, (state) => learnState("catalog", state)),
  keys: new Watch("/v1/kv/?keys", learnKeys, (state) => learnState("keys", state)),
};

function learnCatalog(answer) {
  const shot = snapshot(answer ?? []);
  const at = learnTime(known.shot);
  if (known.shot) {
    const found = changes(known.shot, shot);
    log.unshift(...found.map((change) => ({ ...change, at, id: (told += 1) })).reverse());
    log.length = Math.min(log.length, REMEMBERED);
  }
  known.shot = shot;
  draw();
}

function learnKeys(keys) {
  learnTime(known.keys);
  known.keys = keys ?? [];
  // Any key's change wakes the watch, so perhaps it is this one's.
  editor?.form.refresh();
  draw();
}

/** An answer has come; it tells of a change if there was one `before`. */
function learnTime(before) {
  const at = new Date();
  if (before) known.changed = at;
  known.since ??= at;
  return at;
}

function learnState(which, state) {
  const before = states[which].kind;
  states[which] = state;
  if (state.kind === "live" && before !== "live" && which === "catalog") learnPlace();
  if (state.kind !== before || state.kind === "lost") drawState();
}

/** The name of the datacenter and of the node: those of this start of the catalog. */
async function learnPlace() {
  try {
    const { Config } = await (await request("/v1/agent/self")).json();
    element("place").textContent = `${Config.Datacenter} · ${Config.NodeName}`;
  } catch {
    // It is decoration; the watches tell of the catalog.
  }
}

/** Where the user is: a tab, and what is chosen on it (`null`: nothing). */
function route() {
  const [, tab, ...rest] = location.hash.split("/");
  if (tab === "new-key") return { tab: "keys", chosen: null, adding: true };
  let chosen = null;
  try {
    chosen = decodeURIComponent(rest.join("/")) || null;
  } catch {
    // Somebody has typed it.
  }
  return { tab: tab in TABS ? tab : "services", chosen, adding: false };
}

let drawing = false;

/** Draws the page, once for all that happens until then. */
function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    drawAll();
  });
}

function drawAll() {
  const { shot, keys } = known;
  const { tab, chosen, adding } = route();
  const filter = filterBox.value.trim();
  drawTabs(tab);
  drawSummary();
  const waiting = h("p", { class: "empty" }, "Asking the catalog…");
  document.body.dataset.chosen = String(chosen !== null || adding);
  if (tab === "keys") {
    show(element("list"), keys ? keyList(keys, filter, chosen, draw) : waiting);
  } else {
    const list = tab === "nodes" ? nodeList : serviceList;
    show(element("list"), shot ? list(shot, filter, chosen) : waiting);
  }
  drawDetail(tab, chosen, adding, filter);
}

function drawDetail(tab, chosen, adding, filter) {
  const detail = element("detail");
  const { shot } = known;
  if (tab === "keys" && (chosen !== null || adding)) {
    show(detail, keyDetail(chosen));
    mountEditor(chosen, detail);
    return;
  }
  editor = null;
  if (!shot) show(detail);
  else if (chosen === null) show(detail, overview(shot, log));
  else show(detail, (tab === "nodes" ? nodeDetail : serviceDetail)(shot, filter, chosen));
}

function mountEditor(key, detail) {
  const host = detail.querySelector("[data-own]");
  if (editor?.key !== key) {
    const form = new KeyEditor(key, (next) => {
      location.hash = next === null ? link("keys") : link("keys", next);
    });
    editor = { key, form };
    form.refresh();
  }
  if (host.firstChild !== editor.form.element) host.replaceChildren(editor.form.element);
}

function drawTabs(tab) {
  const { shot, keys } = known;
  const counts = { services: shot?.services.length, nodes: shot?.nodes.length, keys: keys?.length };
  show(element("tabs"), Object.entries(TABS).map(([name, title]) =>
    h("a", { href: link(name), "data-key": name, "aria-current": name === tab ? "page" : null },
      title, " ", h("span", { class: "figure" }, counts[name]?.toLocaleString("en") ?? "–"))));
}

function drawSummary() {
  const { shot, since, changed } = known;
  if (!shot) return;
  const all = instances(shot);
  const counts = tally(all);
  const part = (state) => counts[state] > 0 &&
    h("span", { class: `count ${state}`, "data-key": state }, `${counts[state].toLocaleString("en")} ${state}`);
  show(element("summary"),
    h("span", { "data-key": "all" }, count(all.length, "instance")),
    ["passing", "warning", "critical", "maintenance"].map(part),
    h("span", { class: "changed", "data-key": "changed" },
      changed ? "last change " : "no change since ", time(changed ?? since)));
  const failing = all.length - counts.passing;
  document.title = failing > 0 ? `(${failing}) Catalog` : "Catalog";
}

/** How the connection is. Once a second while it is lost, for the countdown. */
function drawState() {
  const lost = Object.values(states).find((state) => state.kind === "lost");
  const live = Object.values(states).every((state) => state.kind === "live");
  const kind = lost ? "lost" : live ? "live" : "connecting";
  const words = { lost: "connection lost", live: "live", connecting: "connecting…" };
  const pill = element("state");
  if (pill.textContent !== words[kind]) pill.textContent = words[kind];
  document.body.dataset.state = kind;
  const banner = element("lost");
  banner.hidden = !lost;
  if (!lost) return;
  const seconds = Math.max(0, Math.ceil((lost.retry - Date.now()) / 1000));
  // The countdown is for the eyes only.
  show(banner, h("span", null, `Connection lost: ${lost.reason}. `,
    known.shot ? "What is shown may be old." : ""), " ",
  h("span", { class: "unimportant", "aria-hidden": "true" }, `Next try in ${seconds} s.`), " ",
  h("button", { type: "button", class: "button", id: "retry", onclick: hurry }, "Try now"));
}

function hurry() {
  for (const watch of Object.values(watches)) watch.hurry();
}

/** A page that nobody sees follows nothing: browsers open only a few connections to a server. */
function follow() {
  for (const watch of Object.values(watches)) {
    if (document.hidden) watch.stop();
    else watch.start();
  }
}

/** Up and down move between the rows of a list, `/` goes to the filter, Escape leaves it. */
function key(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const typing = event.target.closest("input, textarea");
  if (event.key === "/" && !typing) {
    event.preventDefault();
    filterBox.focus();
    filterBox.select();
  } else if (event.key === "Escape" && typing === filterBox) {
    filterBox.value = "";
    filterBox.blur();
    draw();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const rows = [...element("list").querySelectorAll(".row")];
    const at = rows.indexOf(document.activeElement);
    if (at < 0 && typing !== filterBox) return;
    event.preventDefault();
    rows[Math.max(0, at + (event.key === "ArrowDown" ? 1 : -1))]?.focus();
  }
}

/** After going somewhere: where one looks, one is. */
function arrive() {
  drawAll();
  if (desk.matches || document.body.dataset.chosen !== "true") return;
  scrollTo(0, 0);
  element("detail").focus({ preventScroll: true });
}

filterBox.addEventListener("input", draw);
addEventListener("hashchange", arrive);
addEventListener("keydown", key);
addEventListener("online", hurry);
document.addEventListener("visibilitychange", follow);
setInterval(() => document.body.dataset.state === "lost" && drawState(), 1000);
drawAll();
drawState();
follow();
