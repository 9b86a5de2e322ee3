// What the catalog's answer means: services and nodes with their states, and what has changed.

/** From good to bad. A service is as good as the worst of its checks and of its node's. */
export const STATES = ["passing", "warning", "critical", "maintenance"];

const MAINTENANCE = /^_(node|service)_maintenance/;
const collator = new Intl.Collator(undefined, { numeric: true });
const byName = (one, other) => collator.compare(one.name, other.name);

function stateOf(check) {
  if (MAINTENANCE.test(check.CheckID)) return "maintenance";
  return STATES.includes(check.Status) ? check.Status : "critical";
}

function worst(states) {
  return STATES[Math.max(0, ...states.map((state) => STATES.indexOf(state)))];
}

/** How many there are of each state. */
export function tally(items) {
  const counts = Object.fromEntries(STATES.map((state) => [state, 0]));
  for (const { state } of items) counts[state] += 1;
  return counts;
}

/** Services and nodes from the answer of `/v1/internal/ui/nodes`, each list sorted by name. */
export function snapshot(answer) {
  const services = new Map();
  const nodes = answer.map((node) => {
    const checks = (node.Checks ?? []).map((check) => ({
      id: check.CheckID,
      name: check.Name,
      service: check.ServiceID ?? "",
      kind: check.Type ?? "",
      state: stateOf(check),
      notes: check.Notes ?? "",
      output: check.Output ?? "",
    }));
    checks.sort(byName);
    const byService = new Map();
    for (const check of checks) {
      const of = byService.get(check.service);
      if (of) of.push(check);
      else byService.set(check.service, [check]);
    }
    const own = byService.get("") ?? [];
    const instances = (node.Services ?? []).map((service) => {
      const deciding = [...(byService.get(service.ID) ?? []), ...own];
      return {
        key: `${node.Node}/${service.ID}`,
        name: service.ID,
        service: service.Service,
        node: node.Node,
        address: place(service.Address || node.Address, service.Port),
        tags: service.Tags ?? [],
        meta: Object.entries(service.Meta ?? {}),
        checks: deciding,
        state: worst(deciding.map((check) => check.state)),
      };
    });
    instances.sort(byName);
    for (const instance of instances) {
      const of = services.get(instance.service);
      if (of) of.push(instance);
      else services.set(instance.service, [instance]);
    }
    const meta = Object.entries(node.Meta ?? {});
    // Consul's own bookkeeping, empty outside of its enterprise edition.
    const shown = meta.filter(([name, value]) => value || name !== "consul-network-segment");
    return {
      name: node.Node,
      address: node.Address,
      meta: shown,
      checks: own,
      instances,
      state: worst(own.map((check) => check.state)),
    };
  });
  return {
    nodes: nodes.sort(byName),
    services: [...services]
      .map(([name, instances]) => ({
        name,
        instances: instances.sort(byName),
        tags: [...new Set(instances.flatMap((instance) => instance.tags))].sort(collator.compare),
        state: worst(instances.map((instance) => instance.state)),
      }))
      .sort(byName),
  };
}

function place(address, port) {
  if (!port) return address;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** All instances of a snapshot. */
export function instances(shot) {
  return shot.services.flatMap((service) => service.instances);
}

/** What has changed between two snapshots: `{service, name, state, words}`. */
export function changes(before, after) {
  const old = new Map(instances(before).map((instance) => [instance.key, instance]));
  const found = [];
  for (const instance of instances(after)) {
    const known = old.get(instance.key);
    old.delete(instance.key);
    const tell = (words) =>
      found.push({ service: instance.service, name: instance.name, state: instance.state, words });
    if (!known) tell(`appeared, ${instance.state}`);
    else if (known.state !== instance.state) tell(`${known.state} → ${instance.state}`);
    else if (registration(known) !== registration(instance)) tell("registered anew");
  }
  for (const gone of old.values()) {
    found.push({ service: gone.service, name: gone.name, state: null, words: "gone" });
  }
  return found;
}

/** What a service says about itself, to be compared. */
function registration({ address, tags, meta }) {
  return JSON.stringify([address, tags, meta]);
}

/** Whether each word of the filter is in one of the texts. */
export function matches(filter, texts) {
  const all = texts.join("\n").toLowerCase();
  return filter.toLowerCase().split(/\s+/).every((word) => all.includes(word));
}

/** The words by which an instance is found. */
export function words(instance) {
  const { name, service, node, address, tags, state } = instance;
  return [name, service, node, address, state, ...tags];
}
