import type { ScalingRules } from "../types/autoscaler.ts";

/** What was wanted, and when: milliseconds. */
export interface Recommendation {
  readonly at: number;
  readonly replicas: number;
}

/** By how many it was changed, and when. */
export interface ScaleEvent {
  readonly at: number;
  readonly change: number;
}

/** What an autoscaler remembers between looks. A new process begins anew, as upstream's does. */
export interface Memory {
  recommendations: Recommendation[];
  ups: ScaleEvent[];
  downs: ScaleEvent[];
}

/** A decision with the reason that a condition gives. */
export interface Limited {
  readonly replicas: number;
  readonly reason: string;
  readonly message: string;
}

export interface Wish {
  readonly current: number;
  readonly desired: number;
  readonly min: number;
  readonly max: number;
  readonly now: number;
}

const DOWN_WINDOW_MS = 300_000;
/** Without rules: at most twice as many at once, or so many. */
const [UP_FACTOR, UP_LEAST] = [2, 4];

const WITHIN = { reason: "DesiredWithinRange", message: "the desired count is within the acceptable range" };
const TOO_MANY = {
  reason: "TooManyReplicas",
  message: "the desired replica count is more than the maximum replica count",
};
const TOO_FEW = {
  reason: "TooFewReplicas",
  message: "the desired replica count is less than the minimum replica count",
};
const UP_LIMIT = {
  reason: "ScaleUpLimit",
  message: "the desired replica count is increasing faster than the maximum scale rate",
};
const DOWN_LIMIT = {
  reason: "ScaleDownLimit",
  message: "the desired replica count is decreasing faster than the maximum scale rate",
};
const HIGHER_BEFORE = {
  reason: "ScaleDownStabilized",
  message: "recent recommendations were higher than current one, applying the highest recent recommendation",
};
const LOWER_BEFORE = {
  reason: "ScaleUpStabilized",
  message: "recent recommendations were lower than current one, applying the lowest recent recommendation",
};
const READY = { reason: "ReadyForNewScale", message: "recommended size matches current size" };

export interface Behavior {
  readonly scaleUp?: ScalingRules;
  readonly scaleDown?: ScalingRules;
}

const UP_POLICIES = [
  { type: "Pods", value: 4, periodSeconds: 15 },
  { type: "Percent", value: 100, periodSeconds: 15 },
];
const DOWN_POLICIES = [{ type: "Percent", value: 100, periodSeconds: 15 }];

/** Holds on to recent wishes so that numbers do not flap, and remembers this one. */
export function stabilize({ current, desired, now }: Wish, memory: Memory, behavior: Behavior | undefined): Limited {
  const upWindow = (behavior?.scaleUp?.stabilizationWindowSeconds ?? 0) * 1000;
  const downWindow = windowOf(behavior?.scaleDown);
  let [up, down] = [desired, desired];
  for (const { at, replicas } of memory.recommendations) {
    if (at > now - upWindow) up = Math.min(up, replicas);
    // Without rules what was just then counts, too, as upstream has it.
    const isRecent = behavior === undefined ? at >= now - downWindow : at > now - downWindow;
    if (isRecent) down = Math.max(down, replicas);
  }
  const oldest = now - Math.max(upWindow, downWindow);
  memory.recommendations = memory.recommendations.filter(({ at }) => at >= oldest);
  memory.recommendations.push({ at: now, replicas: desired });
  const replicas = behavior === undefined ? down : Math.min(Math.max(current, up), down);
  if (replicas === desired) return { replicas, ...READY };
  return { replicas, ...(behavior !== undefined && desired >= current ? LOWER_BEFORE : HIGHER_BEFORE) };
}

const windowOf = (rules: ScalingRules | undefined): number =>
  rules?.stabilizationWindowSeconds === undefined ? DOWN_WINDOW_MS : rules.stabilizationWindowSeconds * 1000;

/** As many as the bounds and the rules about speed let. */
export function limitRate(wish: Wish, memory: Memory, behavior: Behavior | undefined): Limited {
  return behavior === undefined ? limitByFactor(wish) : limitByRules(wish, memory, behavior);
}

function limitByFactor({ current, desired, min, max }: Wish): Limited {
  const fastest = Math.max(UP_FACTOR * current, UP_LEAST);
  if (desired < min) return { replicas: min, ...TOO_FEW };
  if (desired > Math.min(max, fastest)) {
    return max > fastest ? { replicas: fastest, ...UP_LIMIT } : { replicas: max, ...TOO_MANY };
  }
  return { replicas: desired, ...WITHIN };
}

function limitByRules({ current, desired, min, max, now }: Wish, memory: Memory, behavior: Behavior): Limited {
  if (desired > current) {
    const fastest = Math.max(current, reachable(current, memory, behavior.scaleUp, "up", now));
    const most = Math.min(max, fastest);
    if (desired > most) return { replicas: most, ...(max > fastest ? UP_LIMIT : TOO_MANY) };
  } else if (desired < current) {
    const fastest = Math.min(current, reachable(current, memory, behavior.scaleDown, "down", now));
    const least = Math.max(min, fastest);
    if (desired < least) return { replicas: least, ...(min < fastest ? DOWN_LIMIT : TOO_FEW) };
  }
  return { replicas: desired, ...WITHIN };
}

function reachable(
  current: number,
  { ups, downs }: Memory,
  rules: ScalingRules = {},
  way: "up" | "down",
  now: number,
): number {
  const { policies = way === "up" ? UP_POLICIES : DOWN_POLICIES, selectPolicy = "Max" } = rules;
  if (selectPolicy === "Disabled") return current;
  const changed = (events: readonly ScaleEvent[], seconds: number): number =>
    events.reduce((total, { at, change }) => (at > now - seconds * 1000 ? total + change : total), 0);
  const limits = policies.map(({ type, value, periodSeconds }) => {
    const start = current - changed(ups, periodSeconds) + changed(downs, periodSeconds);
    if (way === "up") return type === "Pods" ? start + value : Math.ceil(start * (1 + value / 100));
    return type === "Pods" ? start - value : Math.trunc(start * (1 - value / 100));
  });
  return (selectPolicy === "Min") === (way === "up") ? Math.min(...limits) : Math.max(...limits);
}

/** Remembers a change for as long as a rule may ask for it. */
export function rememberChange(memory: Memory, wish: Wish, behavior: Behavior | undefined): void {
  if (behavior === undefined) return;
  const { current, desired, now } = wish;
  const longest = (rules: ScalingRules | undefined): number =>
    Math.max(0, ...(rules?.policies ?? UP_POLICIES).map(({ periodSeconds }) => periodSeconds)) * 1000;
  const keep = now - Math.max(longest(behavior.scaleUp), longest(behavior.scaleDown));
  memory.ups = memory.ups.filter(({ at }) => at > keep);
  memory.downs = memory.downs.filter(({ at }) => at > keep);
  if (desired > current) memory.ups.push({ at: now, change: desired - current });
  else memory.downs.push({ at: now, change: current - desired });
}
