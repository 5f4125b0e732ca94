import { type Clock, NotFound } from "@boxship/base";
import type { ExecHandle } from "@boxship/runtime";
import type { ExecConfig, ExecView } from "../engine-api.ts";

/** How long a finished exec can still be asked for its exit code. */
const KEPT_MS = 5 * 60_000;

/** One exec: made, then started once. */
export interface Exec {
  readonly id: string;
  readonly containerId: string;
  readonly config: ExecConfig;
  state: ExecState;
}

/** `created ──start──▶ starting ──▶ running ──▶ exited`; a failed start is an exit, too. */
export type ExecState =
  | { readonly status: "created" }
  | { readonly status: "starting" }
  | { readonly status: "running"; readonly handle: ExecHandle }
  | { readonly status: "exited"; readonly exitCode: number; readonly pid: number };

/** Execs of this daemon's life; like Docker's they are not kept over a restart. */
export class ExecTable implements Disposable {
  readonly #clock: Clock;
  readonly #execs = new Map<string, Exec>();
  readonly #timers = new Map<string, Disposable>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(exec: Exec): void {
    this.#execs.set(exec.id, exec);
  }

  /** @throws NotFound */
  get(id: string): Exec {
    const exec = this.#execs.get(id) ?? this.#byPrefix(id);
    if (exec === undefined) throw new NotFound(`No such exec instance: ${id}`, { subject: { kind: "exec", name: id } });
    return exec;
  }

  #byPrefix(prefix: string): Exec | undefined {
    if (prefix.length < 4) return undefined;
    const found = [...this.#execs.values()].filter((exec) => exec.id.startsWith(prefix));
    return found.length === 1 ? found[0] : undefined;
  }

  /** The exec has ended; it is forgotten a while later. */
  finished(exec: Exec): void {
    if (!this.#execs.has(exec.id)) return;
    this.#timers.set(
      exec.id,
      this.#clock.setTimeout(KEPT_MS, () => this.#drop(exec.id)),
    );
  }

  /** Forgets all execs of a container. */
  forget(containerId: string): void {
    for (const exec of [...this.#execs.values()]) if (exec.containerId === containerId) this.#drop(exec.id);
  }

  /** Forgets one exec at once, for probes that nobody will ask about. */
  forgetOne(id: string): void {
    this.#drop(id);
  }

  #drop(id: string): void {
    this.#timers.get(id)?.[Symbol.dispose]();
    this.#timers.delete(id);
    this.#execs.delete(id);
  }

  [Symbol.dispose](): void {
    for (const id of [...this.#execs.keys()]) this.#drop(id);
  }
}

export function execView({ id, containerId, config, state }: Exec): ExecView {
  const base = { id, containerId, config };
  switch (state.status) {
    case "created":
    case "starting":
      return { ...base, running: false, pid: 0 };
    case "running":
      return { ...base, running: true, pid: state.handle.pid };
    case "exited":
      return { ...base, running: false, exitCode: state.exitCode, pid: state.pid };
  }
}
