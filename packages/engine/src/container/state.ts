import { FailedPrecondition } from "@boxship/base";

/**
 * The life of a container:
 *
 * ```
 *            start             exit, no restart due
 *  created ─────────▶ running ───────────────────────▶ exited ──┐
 *     │               │  ▲  ▲ │ exit, restart due        │ ▲    │ start
 *     │         pause ▼  │  │ ▼                          │ │    └──▶ running
 *     │              paused │ restarting ── stop, give up┼─┘
 *     │                     └────┘ back-off over         │
 *     └─────────────┬────────────────────────────────────┘
 *                   ▼ remove
 *                removing ──▶ (gone)      a removal that failed: dead
 * ```
 */
export type ContainerState =
  | { readonly status: "created"; readonly error?: string; readonly exitCode: number }
  | ({ readonly status: "running" } & Alive)
  | ({ readonly status: "paused" } & Alive)
  | ({ readonly status: "restarting" } & Ended)
  | ({ readonly status: "exited" } & Ended)
  | ({ readonly status: "removing" } & Partial<Ended>)
  | ({ readonly status: "dead" } & Partial<Ended>);

/** A run that goes on. Times are milliseconds since the epoch. */
export interface Alive {
  readonly pid: number;
  readonly startedAt: number;
  /** The end of the run before. */
  readonly finishedAt?: number;
}

/** How the last run ended. Times are milliseconds since the epoch. */
export interface Ended {
  readonly exitCode: number;
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly oomKilled: boolean;
  /** Why it could not be started, as the user should read it. */
  readonly error?: string;
}

export type ContainerStatus = ContainerState["status"];

const ALLOWED: Readonly<Record<ContainerStatus, readonly ContainerStatus[]>> = {
  created: ["created", "running", "exited", "removing"],
  running: ["paused", "restarting", "exited", "removing"],
  paused: ["running", "restarting", "exited", "removing"],
  restarting: ["running", "restarting", "exited", "removing"],
  exited: ["running", "restarting", "exited", "removing"],
  removing: ["dead", "removing"],
  dead: ["removing"],
};

/** Checks a step of the diagram. Throws {@link FailedPrecondition} on one that it does not have. */
export function transition(name: string, from: ContainerState, to: ContainerState): ContainerState {
  if (ALLOWED[from.status].includes(to.status)) return to;
  throw new FailedPrecondition(`container ${name} is ${from.status} and cannot become ${to.status}`, {
    subject: { kind: "container", name },
  });
}

/** Whether a process of the container exists. */
export function isAlive(
  state: ContainerState,
): state is Extract<ContainerState, { readonly status: "running" | "paused" }> {
  return state.status === "running" || state.status === "paused";
}
