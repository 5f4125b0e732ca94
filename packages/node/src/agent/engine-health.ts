import type { Clock } from "@boxship/base";
import type { Cri } from "@boxship/cri";

/** So long an engine may be silent before its node is not ready, as upstream's: its pods go on without it. */
const GRACE_MS = 30_000;
export const ENGINE_AWAY = "container runtime is down: its socket does not answer";

type Status = Awaited<ReturnType<Cri["status"]>>;

export interface EngineLook {
  /** What it is; undefined when it does not answer now. */
  readonly version: Awaited<ReturnType<Cri["version"]>> | undefined;
  /** What a node says that cannot run pods because its engine cannot, in the kubelet's words; undefined when it can. */
  readonly problem: string | undefined;
  /** What its runtimes can do; undefined when it does not answer now. */
  readonly handlers: Status["runtimeHandlers"] | undefined;
  /** What it can do by itself; undefined when it does not answer now, or does not say. */
  readonly features: Status["features"];
}

/** How the engine is. One that is started again is away for a moment, and no service must lose its pods for that. */
export class EngineHealth {
  readonly #cri: Pick<Cri, "version" | "status">;
  readonly #clock: Clock;
  /** Monotonic. An agent that starts has heard nothing bad yet. */
  #heard: number;
  /** What was found last. */
  #problem: string | undefined;
  #features: Status["features"];

  constructor(cri: Pick<Cri, "version" | "status">, clock: Clock) {
    this.#cri = cri;
    this.#clock = clock;
    this.#heard = clock.monotonic();
  }

  /** What the engine was last heard to be able to do by itself; undefined while it has not said so. */
  get features(): Status["features"] {
    return this.#features;
  }

  async look(): Promise<EngineLook> {
    const nothing = (): undefined => undefined;
    // One that takes the question and stands still is as silent as one that is gone.
    const patience = new AbortController();
    const { signal } = patience;
    const over = new Promise<undefined>((resolve) => signal.addEventListener("abort", () => resolve(undefined)));
    using _timer = this.#clock.setTimeout(GRACE_MS, () => patience.abort());
    const [version, answer] = await Promise.all([
      Promise.race([this.#cri.version({}, { signal }).catch(nothing), over]),
      Promise.race([this.#cri.status({}, { signal }).catch(nothing), over]),
    ]);
    const now = this.#clock.monotonic();
    if (answer !== undefined) {
      this.#heard = now;
      this.#features = answer.features;
      this.#problem = conditionProblem(answer, "RuntimeReady", "container runtime") ?? networkProblem(answer);
    } else if (now - this.#heard >= GRACE_MS) this.#problem = ENGINE_AWAY;
    return { version, problem: this.#problem, handlers: answer?.runtimeHandlers, features: answer?.features };
  }
}

/** The same of the network alone: pods in the machine's own need none. */
export function networkProblem(answer: Status): string | undefined {
  return conditionProblem(answer, "NetworkReady", "container runtime network");
}

function conditionProblem({ status }: Status, type: string, what: string): string | undefined {
  const condition = status?.conditions.find((one) => one.type === type);
  if (condition?.status !== false) return undefined;
  return `${what} not ready: ${type}=false reason:${condition.reason} message:${condition.message}`;
}
