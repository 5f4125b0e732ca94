import { Unsupported } from "@boxship/base";
import { type ContainerRuntime, readHostFacts } from "@boxship/runtime";

/** What the engine needs of the runtime. */
export type EngineRuntime = Pick<ContainerRuntime, keyof ContainerRuntime>;

const REASON = "an engine inside an unprivileged container cannot run containers: it only builds, pulls and pushes";

/** The refusal of everything that needs containers of the engine's own. */
export function refusedHere(): Unsupported {
  return new Unsupported(REASON, {
    remedy: "start the engine as root of the machine, or its container with --privileged",
  });
}

/** The runtime of an engine that has no right to make namespaces: there are no containers, and none can be made. */
export function confinedRuntime(): EngineRuntime {
  const host = readHostFacts();
  const refuse = () => Promise.reject(refusedHere());
  const nothing = () => Promise.resolve();
  return {
    host,
    info: { runtimes: [], default: "", conmonVersion: "", cgroup: host.cgroup.version, warnings: [REASON] },
    create: refuse,
    start: refuse,
    checkpoint: refuse,
    specification: refuse,
    kill: refuse,
    pause: refuse,
    resume: refuse,
    update: refuse,
    exec: refuse,
    attach: refuse,
    reopenLog: refuse,
    stats: refuse,
    processes: refuse,
    top: refuse,
    abandon: () => {},
    resize: () => {},
    onExit: () => ({ [Symbol.dispose]: () => {} }),
    state: () => Promise.resolve({ status: "absent" }),
    adopt: () => Promise.resolve({ status: "absent" }),
    delete: nothing,
    listLeftovers: () => Promise.resolve([]),
    reconcile: () => Promise.resolve({ removed: [], execsKilled: [] }),
    [Symbol.asyncDispose]: nothing,
  };
}
