import { type Clock, Heap, type Timer } from "@boxship/base";
import type { Change, Plugin } from "../plugin.ts";
import type { PodInfo } from "../pod/pod-info.ts";

/** A pod that waits for a place. */
export interface QueuedPod {
  pod: PodInfo;
  /** How often it was tried. */
  attempts: number;
  /** Monotonic milliseconds at which it came into this queue. */
  since: number;
  /** Plugins that kept it out the last time. */
  plugins: ReadonlySet<string>;
  /** Monotonic milliseconds before which it is not tried again. */
  notBefore: number;
}

export interface SchedulingQueueOptions {
  readonly clock: Clock;
  readonly pluginsOf: (pod: PodInfo) => readonly Plugin[];
  /** Milliseconds: the first wait after a failure, and the longest one. @default 1 s, 10 s */
  readonly backoff?: { readonly first: number; readonly most: number };
  /** Called when there is something to take. */
  readonly onReady: () => void;
}

const BACKOFF = { first: 1000, most: 10_000 } as const;
/** What no change brings back is tried after this time all the same: a change may have been misjudged. */
const FORGOTTEN_MS = 5 * 60_000;

interface Taken {
  readonly queued: QueuedPod;
  readonly changes: Change[];
  /** It asks for something else meanwhile. */
  isOther: boolean;
}

type Place = "active" | "backoff" | "unschedulable" | "gated";

/**
 * Pods without a place, in three queues: those to be tried now, the most important first; those that wait after a failure;
 * and those that do not fit, until something changes that the plugins that kept them out look at. Pods with gates wait
 * beside them until the gates are gone.
 */
export class SchedulingQueue implements Disposable {
  readonly #options: SchedulingQueueOptions;
  readonly #pods = new Map<string, { readonly queued: QueuedPod; place: Place }>();
  readonly #active: Heap<QueuedPod>;
  /** When somebody's wait ends; of those who have left meanwhile, too. */
  readonly #wakeups = new Heap<{ readonly at: number; readonly queued: QueuedPod }>(
    ({ at: left }, { at: right }) => left - right,
  );
  readonly #unschedulable = new Map<string, QueuedPod>();
  /** Pods that are decided about, and what has changed since: others may be asked about them, which takes a while. */
  readonly #taken = new Map<string, Taken>();
  #timer: { readonly at: number; readonly timer: Timer } | undefined;
  #ended = false;

  constructor(options: SchedulingQueueOptions) {
    this.#options = options;
    this.#active = new Heap((left, right) => right.pod.priority - left.pod.priority || left.since - right.since);
  }

  /** How many wait, and where. */
  get sizes(): Readonly<Record<Place, number>> {
    const sizes = { active: 0, backoff: 0, unschedulable: 0, gated: 0 };
    for (const { place } of this.#pods.values()) sizes[place]++;
    return sizes;
  }

  /** A pod without a place, new or as it is now. */
  put(pod: PodInfo): void {
    const taken = this.#taken.get(pod.key);
    if (taken?.queued.pod.uid === pod.uid) {
      taken.isOther ||= hasChanged(taken.queued.pod, pod);
      taken.queued.pod = pod;
      return;
    }
    const known = this.#pods.get(pod.key);
    if (known === undefined || known.queued.pod.uid !== pod.uid) {
      this.delete(pod.key);
      const since = this.#options.clock.monotonic();
      this.#place({ pod, attempts: 0, since, plugins: new Set(), notBefore: 0 });
      return;
    }
    const { queued } = known;
    const isOther = hasChanged(queued.pod, pod);
    queued.pod = pod;
    // What it asks for has changed: that may be less.
    if (known.place === "gated" || (known.place === "unschedulable" && isOther)) this.#place(queued);
  }

  delete(key: string): void {
    this.#pods.delete(key);
    this.#unschedulable.delete(key);
    this.#taken.delete(key);
  }

  /** The most important pod to be tried now. It is nobody's until it is put back, or {@link done}. */
  take(): QueuedPod | undefined {
    for (let next = this.#active.pop(); next !== undefined; next = this.#active.pop()) {
      if (!this.#isAt(next, "active")) continue; // it went, or was moved
      this.#pods.delete(next.pod.key);
      this.#taken.set(next.pod.key, { queued: next, changes: [], isOther: false });
      next.attempts++;
      return next;
    }
    return undefined;
  }

  /** It did not fit: it waits for a change. @param plugins what kept it out */
  putUnschedulable(queued: QueuedPod, plugins: ReadonlySet<string>): void {
    queued.plugins = plugins;
    const taken = this.#release(queued);
    this.#startWait(queued);
    if (taken?.isOther === true || taken?.changes.some((change) => this.#mayFit(queued, change)) === true) {
      this.#place(queued);
      return;
    }
    this.#pods.set(queued.pod.key, { queued, place: "unschedulable" });
    this.#unschedulable.set(queued.pod.key, queued);
    this.#wakeAt(queued.since + FORGOTTEN_MS, queued);
  }

  /** Something failed that may go well the next time. */
  putFailed(queued: QueuedPod): void {
    this.#release(queued);
    this.#startWait(queued);
    this.#place(queued);
  }

  /** It has a place, or nobody looks for one any more. */
  done(queued: QueuedPod): void {
    this.#release(queued);
  }

  #release(queued: QueuedPod): Taken | undefined {
    const taken = this.#taken.get(queued.pod.key);
    if (taken?.queued !== queued) return undefined;
    this.#taken.delete(queued.pod.key);
    return taken;
  }

  /** Brings back what may fit now. */
  changed(change: Change): void {
    for (const { changes } of this.#taken.values()) changes.push(change);
    for (const queued of [...this.#unschedulable.values()]) if (this.#mayFit(queued, change)) this.#place(queued);
  }

  #mayFit({ pod, plugins: names }: QueuedPod, change: Change): boolean {
    const plugins = this.#options.pluginsOf(pod).filter(({ name }) => names.has(name));
    // Where there was no node, no plugin was asked.
    return plugins.length === 0 || plugins.some((plugin) => mayHelp(plugin, pod, change));
  }

  #startWait(queued: QueuedPod): void {
    const { first, most } = this.#options.backoff ?? BACKOFF;
    const wait = Math.min(first * 2 ** (queued.attempts - 1), most);
    queued.notBefore = this.#options.clock.monotonic() + wait;
    queued.since = this.#options.clock.monotonic();
  }

  #place(queued: QueuedPod): void {
    if (this.#ended) return;
    const { key } = queued.pod;
    this.#unschedulable.delete(key);
    const place = this.#placeFor(queued);
    this.#pods.set(key, { queued, place });
    if (place === "active") {
      this.#active.push(queued);
      this.#options.onReady();
    } else if (place === "backoff") {
      this.#wakeAt(queued.notBefore, queued);
    }
  }

  #placeFor(queued: QueuedPod): Place {
    if (this.#options.pluginsOf(queued.pod).some((plugin) => holdsBack(plugin, queued.pod))) return "gated";
    return queued.notBefore > this.#options.clock.monotonic() ? "backoff" : "active";
  }

  #isAt(queued: QueuedPod, place: Place): boolean {
    const known = this.#pods.get(queued.pod.key);
    return known?.queued === queued && known.place === place;
  }

  #wakeAt(at: number, queued: QueuedPod): void {
    this.#wakeups.push({ at, queued });
    if (this.#timer === undefined || at < this.#timer.at) this.#arm(at);
  }

  /** One timer for all that wait; none when nobody does. */
  #arm(at: number): void {
    this.#timer?.timer[Symbol.dispose]();
    const wait = Math.max(at - this.#options.clock.monotonic(), 0);
    this.#timer = { at, timer: this.#options.clock.setTimeout(wait, () => this.#wake()) };
  }

  #wake(): void {
    this.#timer = undefined;
    const now = this.#options.clock.monotonic();
    for (let next = this.#wakeups.peek(); next !== undefined; next = this.#wakeups.peek()) {
      if (next.at > now) {
        this.#arm(next.at);
        return;
      }
      this.#wakeups.pop();
      const { queued, at } = next;
      const isDue = this.#isAt(queued, "unschedulable") && queued.since + FORGOTTEN_MS <= at;
      if (isDue || this.#isAt(queued, "backoff")) this.#place(queued);
    }
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#timer?.timer[Symbol.dispose]();
    this.#pods.clear();
  }
}

/** Whether a pod asks for something else than before; its status does not count. */
function hasChanged(before: PodInfo, after: PodInfo): boolean {
  return (
    JSON.stringify(before.spec) !== JSON.stringify(after.spec) ||
    JSON.stringify(before.labels) !== JSON.stringify(after.labels) ||
    before.isTerminating !== after.isTerminating
  );
}

/** Of a plugin that fails it is not known: the pod is tried, and what fails then is told. */
function mayHelp(plugin: Plugin, pod: PodInfo, change: Change): boolean {
  try {
    return plugin.mayHelp?.(pod, change) === true;
  } catch {
    return true;
  }
}

/** A plugin that fails holds the pod back. */
function holdsBack(plugin: Plugin, pod: PodInfo): boolean {
  try {
    return plugin.gate?.(pod) !== undefined;
  } catch {
    return true;
  }
}
