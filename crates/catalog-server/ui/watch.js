// Following the catalog by blocking queries: a request that the catalog answers when there is
// something new.

/** How long a query may block, in seconds. */
const WAIT = 30;
/** How much longer than that an answer may take, in milliseconds: the catalog adds up to a
 * sixteenth to the wait; then it is as good as gone. */
const GRACE = 8_000;
/** At least so much lies between two queries, in milliseconds: a busy catalog is no reason to
 * draw more often. */
const PAUSE = 100;
/** The same for answers without a new index, which should have come later. */
const EARLY = 1_000;
const FIRST_RETRY = 500;
const LAST_RETRY = 8_000;

/**
 * Follows `path`, from `start` until `stop`. Calls `answered(body)` with the first answer and each
 * that differs in its index (`null` for what does not exist), and `changed(state)` when it knows
 * more about the catalog: `{kind: "live"}`, or `{kind: "lost", reason, retry}` with the time of
 * the next try.
 */
export class Watch {
  #path;
  #answered;
  #changed;
  #stop = null;
  #wake = null;

  constructor(path, answered, changed) {
    this.#path = path;
    this.#answered = answered;
    this.#changed = changed;
  }

  start() {
    if (this.#stop) return;
    this.#stop = new AbortController();
    this.#run(this.#stop.signal);
  }

  stop() {
    this.#stop?.abort();
    this.#stop = null;
    this.#wake?.();
  }

  /** Tries at once, if it waits for its next try. */
  hurry() {
    this.#wake?.();
  }

  async #run(stop) {
    // None: the catalog answers at once.
    let index = 0;
    let failures = 0;
    while (!stop.aborted) {
      const began = performance.now();
      let pause = PAUSE;
      try {
        const answer = await this.#ask(index, stop);
        if (stop.aborted) return;
        failures = 0;
        // Also one that is lower: the catalog has begun anew.
        const news = index === 0 || answer.index !== index;
        const early = performance.now() - began < (WAIT * 1000) / 2;
        if (news) this.#answered(answer.body);
        this.#changed({ kind: "live" });
        // A catalog that stops answers early. The next one may have the same index by chance.
        index = !news && early ? 0 : answer.index;
        if ((!news && early) || answer.index === 0) pause = EARLY;
      } catch (error) {
        if (stop.aborted) return;
        index = 0;
        const most = Math.min(LAST_RETRY, FIRST_RETRY * 2 ** failures);
        // Pages that have lost the same catalog do not come back all at once.
        pause = most * (0.75 + Math.random() / 4);
        failures += 1;
        this.#changed({ kind: "lost", reason: reason(error), retry: Date.now() + pause });
      }
      await this.#sleep(Math.max(pause - (failures ? 0 : performance.now() - began), 0));
    }
  }

  async #ask(index, stop) {
    const separator = this.#path.includes("?") ? "&" : "?";
    const query = index ? `${separator}index=${index}&wait=${WAIT}s` : "";
    const patience = (index ? WAIT * 1000 * (17 / 16) : 0) + GRACE;
    const response = await request(`${this.#path}${query}`, {}, patience, stop);
    const stated = Number(response.headers.get("X-Consul-Index"));
    const body = response.status === 404 ? null : parse(await response.text());
    return { body, index: Number.isSafeInteger(stated) && stated > 0 ? stated : 0 };
  }

  #sleep(time) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, time);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/**
 * One request with a deadline for its whole answer, in milliseconds. 404 is an answer, other
 * errors are thrown with what the catalog says.
 */
export async function request(path, options = {}, patience = GRACE, stop = null) {
  const abort = new AbortController();
  const end = () => abort.abort(stop?.reason);
  const late = () => abort.abort(new Error("no answer in time"));
  stop?.addEventListener("abort", end);
  const timer = setTimeout(late, patience);
  try {
    const settings = { cache: "no-store", ...options, signal: abort.signal };
    const response = await fetch(path, settings);
    const body = await response.arrayBuffer();
    if (!response.ok && response.status !== 404) {
      const text = new TextDecoder().decode(body).trim().slice(0, 300);
      throw new Error(`${response.status} ${text || response.statusText}`);
    }
    return new Response(body, { status: response.status, headers: response.headers });
  } finally {
    clearTimeout(timer);
    stop?.removeEventListener("abort", end);
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("it answers something that is no JSON");
  }
}

/** Why a request failed, for people. */
export function reason(error) {
  // What browsers say of a refused connection differs, and says nothing.
  return error instanceof TypeError ? "the catalog cannot be reached" : error.message;
}
