import { Conflict } from "@boxship/base";
import { type CgroupLimits, cgroupLayout, openCgroup, openCgroupTree } from "@boxship/kernel";
import { amount } from "../status/qos.ts";
import { type ContainerSpec, isSidecar, type Pod } from "../types.ts";

const PERIOD_US = 100_000;
type Kind = "requests" | "limits";
type Name = "cpu" | "memory";

/**
 * What all containers of a pod may use together: what it says itself, else the sum of theirs, and what its runtime costs; a limit only
 * where each of them has one. What init containers need, one after the other, counts where it is more.
 *
 * @param maxPids most processes and threads; -1 for as many as the machine has
 */
export function podLimits(pod: Pod, maxPids: number): CgroupLimits {
  const cores = amountOf(pod, "limits", "cpu");
  const memory = Math.floor(amountOf(pod, "limits", "memory"));
  const asked = ownAmount(pod, "requests", "cpu") === 0 ? cores : 0;
  const shares = Math.max(2, Math.round((asked || amountOf(pod, "requests", "cpu")) * 1024));
  return {
    cpu: { shares, ...(cores > 0 ? { period: PERIOD_US, quota: Math.max(1000, Math.ceil(cores * PERIOD_US)) } : {}) },
    ...(memory > 0 ? { memory: { limit: memory } } : {}),
    ...(maxPids < 0 ? {} : { pids: maxPids }),
  };
}

/** With what the runtime costs. 0: not limited, or nothing asked for. */
function amountOf(pod: Pod, kind: Kind, name: Name): number {
  const own = ownAmount(pod, kind, name);
  return kind === "limits" && own === 0 ? 0 : own + amount(pod.spec.overhead?.[name]);
}

/** The same without the overhead. */
function ownAmount({ spec }: Pod, kind: Kind, name: Name): number {
  const own = amount(spec.resources?.[kind]?.[name]);
  if (own > 0) return own;
  const of = ({ resources = {} }: ContainerSpec): number => amount(resources[kind]?.[name]);
  const { containers, initContainers = [] } = spec;
  if (kind === "limits" && [...containers, ...initContainers].some((one) => of(one) === 0)) return 0;
  const sum = (some: readonly ContainerSpec[]): number => some.reduce((total, one) => total + of(one), 0);
  let most = sum([...containers, ...initContainers.filter(isSidecar)]);
  for (const [at, init] of initContainers.entries()) {
    const beside = isSidecar(init) ? 0 : of(init);
    most = Math.max(most, beside + sum(initContainers.slice(0, at).filter(isSidecar)));
  }
  return most;
}

/** What a pod's containers ask for and may use without its overhead, as containers say it; amounts of nothing are left out. */
export function podResources(pod: Pod): NonNullable<ContainerSpec["resources"]> {
  const of = (kind: Kind) =>
    Object.fromEntries(
      (["cpu", "memory"] as const).flatMap((name) => {
        const most = ownAmount(pod, kind, name);
        return most > 0 ? [[name, String(most)]] : [];
      }),
    );
  return { requests: of("requests"), limits: of("limits") };
}

/** Makes the control group that a pod's containers are below, with its limits. Idempotent. */
export async function limitPod(name: string, pod: Pod, maxPids: number): Promise<void> {
  // Who may write to no tree limits nothing: containers' own limits are the engine's to refuse.
  if (cgroupLayout() === "none") return;
  const tree = openCgroupTree();
  const group = await tree.create(name);
  await group.setLimits(podLimits(pod, tree.controllers.has("pids") ? maxPids : -1));
}

/** Takes it away. One whose processes still end stays. Idempotent. */
export async function removePodGroup(name: string): Promise<void> {
  if (cgroupLayout() === "none") return;
  try {
    await openCgroup(name).delete();
  } catch (error) {
    if (!(error instanceof Conflict)) throw error;
  }
}
