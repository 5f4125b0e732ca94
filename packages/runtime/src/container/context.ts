import type { Clock, Logger } from "@boxship/base";
import {
  cgroupLayout,
  type PrivateNull,
  type Process,
  type RunOptions,
  type RunResult,
  runProcess,
  type SpawnOptions,
  spawnUnwatched,
  watchProcess,
} from "@boxship/kernel";
import type { OciSpec } from "../spec/oci.ts";
import { serializeOci } from "../spec/serialize.ts";
import type { Criu } from "./checkpoint.ts";
import type { ConmonWatch } from "./conmon-end.ts";
import type { ContainerInputs } from "./container-input.ts";
import type { ExitWatch } from "./exit-watch.ts";
import type { Launcher } from "./launcher.ts";
import type { Layout } from "./layout.ts";
import type { SeccompFilters } from "./seccomp-filters.ts";

/** One OCI runtime as this instance uses it. */
export interface RuntimeBinary {
  readonly name: string;
  readonly path: string;
  /** Whose state directory it keeps; `other` is only driven by its commands. */
  readonly kind: "runc" | "crun" | "other";
  /** Works only where the cgroup v2 tree of a hybrid host is out of sight. */
  readonly needsLauncher: boolean;
  /** Gives the standard streams of a process to its user, null devices too. */
  readonly givesDevicesAway: boolean;
}

/** What the verbs of this package work with. */
export interface Context {
  readonly layout: Layout;
  readonly conmon: string;
  readonly runtimes: ReadonlyMap<string, RuntimeBinary>;
  readonly launcher: Launcher;
  /** Whether the launcher's namespace sees by itself what is mounted at a path, and below it, later. */
  readonly follows: (path: string) => boolean;
  readonly filters: SeccompFilters;
  /** Null devices that may be given away. */
  readonly nulls: PrivateNull | undefined;
  readonly exits: ExitWatch;
  readonly conmons: ConmonWatch;
  readonly inputs: ContainerInputs;
  readonly criu: Criu;
  /** Milliseconds that a runtime may take to create a container, or for another of its commands. */
  readonly createTimeout: number;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** Nothing of our environment concerns a container or its runtime, least of all systemd's `NOTIFY_SOCKET`. */
export const RUNTIME_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
};

/** Starts a program where its runtime works. */
export function launch(context: Pick<Context, "launcher">, runtime: RuntimeBinary, options: SpawnOptions): Process {
  const spawn = () => spawnUnwatched(options);
  return watchProcess(runtime.needsLauncher ? context.launcher.run(spawn) : spawn());
}

/**
 * A spec as a runtime takes it: crun before 1.14 refuses every version but 1.0, which has all that is written here except
 * fields that a runtime without them ignores. Where no control groups can be made none is asked for.
 */
export function specFor(runtime: Pick<RuntimeBinary, "kind">, spec: OciSpec): string {
  const { cgroupsPath: _path, resources: _resources, ...plain } = spec.linux;
  const fitting = cgroupLayout() === "none" ? { ...spec, linux: plain } : spec;
  return serializeOci(runtime.kind === "crun" ? { ...fitting, ociVersion: "1.0.2" } : fitting);
}

/** What stands before every command of a runtime. */
export function runtimeOptions(runtime: Pick<RuntimeBinary, "kind">, stateRoot: string): readonly string[] {
  const disabled = cgroupLayout() === "none" && runtime.kind === "crun";
  return [`--root=${stateRoot}`, ...(disabled ? ["--cgroup-manager=disabled"] : [])];
}

/**
 * Runs a program to its end, inside the launcher's namespace when one is given.
 *
 * runProcess starts the process before it first waits, so that the start falls into the synchronous visit.
 */
export function runRuntime(launcher: Launcher | undefined, options: RunOptions): Promise<RunResult> {
  if (launcher === undefined) return runProcess(options);
  const started: Promise<RunResult>[] = [];
  launcher.run(() => void started.push(runProcess(options)));
  return started[0] ?? runProcess(options);
}

/** Runs one of a runtime's commands on a container. */
export function runtimeCommand(
  context: Pick<Context, "launcher" | "layout" | "createTimeout" | "clock">,
  runtime: RuntimeBinary,
  args: readonly string[],
  input?: string,
  env = RUNTIME_ENVIRONMENT,
): Promise<RunResult> {
  return runRuntime(runtime.needsLauncher ? context.launcher : undefined, {
    file: runtime.path,
    args: [...runtimeOptions(runtime, context.layout.stateRoot(runtime.name)), ...args],
    env,
    timeout: context.createTimeout,
    clock: context.clock,
    ...(input === undefined ? {} : { input }),
  });
}
