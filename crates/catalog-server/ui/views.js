// What is shown of services and nodes.

import { h } from "./dom.js";
import { STATES, instances, matches, tally, words } from "./model.js";

/** More of a list is not drawn; the filter finds the rest. */
const MOST = 200;

/** A link to a place of the page: `#/services/NAME`. */
export function link(tab, name = null) {
  return name === null ? `#/${tab}` : `#/${tab}/${encodeURIComponent(name)}`;
}

/** `1 service`, `2 services`. */
export function count(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

/** A time of this day or an earlier one, as `<time>`. */
export function time(date) {
  return h("time", { datetime: date.toISOString() }, date.toLocaleTimeString("en-GB"));
}

/** The first of a list, and how many there are besides, in the element that a list has. */
export function some(items, draw, tag = "li") {
  const rest = items.length - MOST;
  const more = () =>
    h(tag, { class: "more", "data-key": "\0more" }, `and ${rest.toLocaleString("en")} more: use the filter`);
  return [items.slice(0, MOST).map(draw), rest > 0 && more()];
}

function dot(state) {
  return h("span", { class: `dot ${state}`, "aria-hidden": "true" });
}

function badge(state) {
  return h("span", { class: `badge ${state}` }, state);
}

function chips(tags) {
  return tags.length > 0 && h("ul", { class: "chips", "aria-label": "Tags" },
    tags.map((tag) => h("li", { "data-key": tag }, tag)));
}

function pairs(entries) {
  return entries.length > 0 && h("dl", { class: "meta" },
    entries.map(([name, value]) => [h("dt", null, name), h("dd", null, value)]));
}

/** Counts of the states that there are: `3 passing · 1 critical`. */
function states(items) {
  const counts = tally(items);
  const present = STATES.filter((state) => counts[state] > 0);
  return h("span", { class: "states" },
    present.map((state) => h("span", { class: `count ${state}` }, `${counts[state]} ${state}`)));
}

function row(tab, item, chosen, title, ...rest) {
  return h("li", { "data-key": item.name },
    h("a", {
      class: "row",
      href: link(tab, item.name),
      "aria-current": item.name === chosen ? "true" : null,
    }, dot(item.state), h("span", { class: "name" }, title),
    h("span", { class: "unseen" }, `, ${item.state}`), rest));
}

function list(label, items, draw, nothing) {
  if (items.length === 0) return h("p", { class: "empty" }, nothing);
  return h("ul", { class: "rows", "aria-label": label }, some(items, draw));
}

/** The services that the filter finds. */
export function serviceList(shot, filter, chosen) {
  const found = shot.services
    .map((service) => ({
      ...service,
      instances: service.instances.filter((instance) => matches(filter, words(instance))),
    }))
    .filter((service) => service.instances.length > 0);
  return list("Services", found, (service) => {
    const passing = tally(service.instances).passing;
    return row("services", service, chosen, service.name,
      h("span", { class: "tags" }, service.tags.join("  ")),
      h("span", { class: "figure" }, `${passing}/${service.instances.length}`));
  }, filter ? "No service matches the filter." : "No service is registered.");
}

/** The nodes that the filter finds. */
export function nodeList(shot, filter, chosen) {
  const found = shot.nodes.filter((node) =>
    matches(filter, [node.name, node.address, node.state, ...node.instances.flatMap(words)]));
  return list("Nodes", found, (node) => row("nodes", node, chosen, node.name,
    h("span", { class: "tags" }, node.address),
    h("span", { class: "figure" }, String(node.instances.length))),
  filter ? "No node matches the filter." : "No node is registered.");
}

function checkRow(check) {
  const failing = check.state !== "passing";
  const kind = check.kind && h("span", { class: "kind" }, check.kind);
  const head = [dot(check.state), h("span", { class: "name" }, check.name || check.id), kind, badge(check.state)];
  const text = [check.notes, check.output].filter((part) => part.trim()).join("\n").trimEnd();
  const key = `${check.id} ${check.state}`;
  // With a key of its own for each state, so that it opens by itself when it fails.
  return text
    ? h("details", { class: "check", "data-key": key, "data-check": check.id, open: failing },
      h("summary", null, head), h("pre", { class: "output", tabindex: "0" }, text))
    : h("div", { class: "check plain", "data-key": key, "data-check": check.id }, head);
}

function checkList(checks) {
  return checks.length > 0 && h("div", { class: "checks" }, checks.map(checkRow));
}

function card(instance, other) {
  return h("article", {
    class: `card ${instance.state}`,
    "data-key": instance.key,
    "data-instance": instance.name,
    "data-state": instance.state,
  },
  h("header", null, dot(instance.state), h("h3", null, instance.name), badge(instance.state)),
  h("p", { class: "place" }, h("code", null, instance.address), " ", other),
  chips(instance.tags), pairs(instance.meta),
  // Its node's checks are the same for all instances there: of interest if they fail.
  checkList(instance.checks.filter((check) => check.service || check.state !== "passing")));
}

function back(tab, words) {
  return h("a", { class: "back", href: link(tab), "data-key": "\0back" }, `‹ ${words}`);
}

/** That something chosen is not there (any more). */
export function missing(tab, what, name) {
  return [back(tab, `All ${tab}`),
    h("h2", null, name), h("p", { class: "empty" }, `There is no such ${what}.`)];
}

/** A service with its instances. */
export function serviceDetail(shot, filter, name) {
  const service = shot.services.find((one) => one.name === name);
  if (!service) return missing("services", "service", name);
  const all = service.instances;
  const found = all.filter((instance) => matches(filter, words(instance)));
  const hidden = all.length - found.length;
  return [
    back("services", "All services"),
    h("h2", null, name),
    h("p", { class: "about" }, count(all.length, "instance"), " · ", states(all),
      hidden > 0 && ` · ${hidden} hidden by the filter`),
    h("div", { class: "cards", "data-key": name }, some(found, (instance) =>
      card(instance, [" on ", h("a", { href: link("nodes", instance.node) }, instance.node)]), "p")),
  ];
}

/** A node with its own checks and its services' instances. */
export function nodeDetail(shot, filter, name) {
  const node = shot.nodes.find((one) => one.name === name);
  if (!node) return missing("nodes", "node", name);
  const found = node.instances.filter((instance) => matches(filter, words(instance)));
  const hidden = node.instances.length - found.length;
  return [
    back("nodes", "All nodes"),
    h("h2", null, name),
    h("p", { class: "place" }, h("code", null, node.address), " ", badge(node.state)),
    pairs(node.meta),
    checkList(node.checks),
    h("p", { class: "about" }, count(node.instances.length, "instance"), " · ", states(node.instances),
      hidden > 0 && ` · ${hidden} hidden by the filter`),
    h("ul", { class: "rows", "data-key": name }, some(found, (instance) =>
      h("li", { "data-key": instance.key }, h("a", { class: "row", href: link("services", instance.service) },
        dot(instance.state), h("span", { class: "name" }, instance.name),
        h("span", { class: "unseen" }, `, ${instance.state}`),
        h("span", { class: "tags" }, instance.tags.join("  ")),
        h("span", { class: "figure" }, instance.address))))),
  ];
}

/** What fails, and what has changed since the page was opened. */
export function overview(shot, log) {
  const failing = instances(shot).filter((instance) => instance.state !== "passing");
  const item = (state, service, name, words, ...rest) => [
    dot(state ?? "gone"),
    h("a", { href: link("services", service) }, name), `: ${words}`, rest];
  return [
    h("h2", null, "Needs attention"),
    failing.length === 0
      ? h("p", { class: "empty", "data-key": "\0calm" }, "Everything passes its checks.")
      : h("ul", { class: "lines", id: "attention", "data-key": "\0attention" },
        some(failing, ({ key, service, name, state, checks }) => {
          const why = checks.find((check) => check.state === state);
          const first = why?.output.trim().split("\n")[0] ?? "";
          return h("li", { "data-key": key }, item(state, service, name, state),
            first && h("span", { class: "why" }, first));
        })),
    h("h2", null, "Recent changes"),
    log.length === 0
      ? h("p", { class: "empty", "data-key": "\0quiet" }, "None since this page was opened.")
      : h("ul", { class: "lines", id: "log", "data-key": "\0log" },
        log.map(({ id, at, service, name, state, words }) =>
          h("li", { "data-key": id }, time(at), " ", item(state, service, name, words)))),
  ];
}
