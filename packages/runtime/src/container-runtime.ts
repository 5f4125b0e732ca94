import { mkdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { FailedPrecondition, InvalidArgument, NotFound } from "@boxship/base";
import {
  type Cgroup,
  type CgroupStats,
  ensureSharedMount,
  openCgroup,
  PrivateNull,
  pidfdSendIfThere,
  readMountinfo,
  SIGKILL,
} from "@boxship/kernel";
import { attachContainer } from "./container/attach.ts";
import { AttachQueue } from "./container/attach-queue.ts";
import { prepareCgroupParent } from "./container/cgroup-parent.ts";
import { Criu, checkpointContainer } from "./container/checkpoint.ts";
import { ConmonWatch } from "./container/conmon-end.ts";
import { conmonOf, openProcess } from "./container/conmon-process.ts";
import { ContainerInputs } from "./container/container-input.ts";
import { type Context, type RuntimeBinary, runtimeCommand } from "./container/context.ts";
import { createContainer } from "./container/create.ts";
import { removeContainer } from "./container/delete.ts";
import { execInContainer } from "./container/exec.ts";
import { ExecPids } from "./container/exec-pids.ts";
import { ExitWatch } from "./container/exit-watch.ts";
import { namingFullDisk } from "./container/full-disk.ts";
import { Launcher } from "./container/launcher.ts";
import { isBelow, Layout } from "./container/layout.ts";
import { processesOf } from "./container/members.ts";
import { describeProcesses } from "./container/process-info.ts";
import { listLeftovers, reconcile } from "./container/reconcile.ts";
import { type ContainerRecord, readPid, readRecord } from "./container/record.ts";
import { ControlFifo } from "./container/resize.ts";
import { runtimeError } from "./container/runtime-error.ts";
import { SeccompFilters } from "./container/seccomp-filters.ts";
import { startContainer } from "./container/start.ts";
import { adoptContainer, completeExit, containerState } from "./container/state.ts";
import { Turnstile } from "./container/turnstile.ts";
import type {
  AttachOptions,
  AttachStreams,
  CheckpointRequest,
  ContainerRuntimeApi,
  ContainerState,
  CreateContainer,
  ExecHandle,
  ExecRequest,
  ExitStatus,
  ProcessInfo,
  Reconciled,
  RuntimeInfo,
  RuntimeOptions,
  TerminalSize,
} from "./contract.ts";
import { detectRuntimes } from "./detect.ts";
import { type HostFacts, readHostFacts } from "./spec/host.ts";
import type { OciResources } from "./spec/oci.ts";

const CREATE_TIMEOUT_MS = 120_000;

/** See {@link ContainerRuntimeApi}, which says what each call promises. */
export class ContainerRuntime implements ContainerRuntimeApi {
  readonly info: RuntimeInfo;
  readonly host: HostFacts;
  readonly #context: Context;
  readonly #execs: ExecPids;
  readonly #control: ControlFifo;
  readonly #turnstile = new Turnstile();
  readonly #attachQueue = new AttachQueue();

  /** @throws FailedPrecondition conmon or a usable OCI runtime is missing, with the package to install */
  static async open(options: RuntimeOptions): Promise<ContainerRuntime> {
    checkRunDir(options.runDir);
    const layout = new Layout(options.runDir);
    layout.make();
    const host = readHostFacts();
    const launcher = new Launcher();
    try {
      await prepareCgroupParent(options.cgroupParent, options.logger);
      const detected = await detectRuntimes(options, host, launcher);
      // A namespace that a trial made is older than the shared mounts.
      launcher[Symbol.dispose]();
      const hides = [...detected.usable.values()].some(({ needsLauncher }) => needsLauncher);
      const follows = hides ? followShared(options.mountRoots ?? []) : () => true;
      for (const name of detected.usable.keys()) mkdirSync(layout.stateRoot(name), { recursive: true, mode: 0o700 });
      const exits = new ExitWatch(layout, options.logger, (id, exit) => completeExit(layout, id, exit));
      const context: Context = {
        layout,
        conmon: detected.conmon,
        runtimes: detected.usable,
        launcher,
        follows,
        filters: new SeccompFilters(layout),
        nulls: host.userNamespace ? undefined : new PrivateNull(),
        exits,
        conmons: new ConmonWatch(),
        inputs: new ContainerInputs(),
        criu: new Criu(),
        createTimeout: options.createTimeout ?? CREATE_TIMEOUT_MS,
        logger: options.logger,
        clock: options.clock,
      };
      const info: RuntimeInfo = {
        runtimes: detected.descriptions,
        default: detected.default,
        conmonVersion: detected.conmonVersion,
        cgroup: host.cgroup.version,
        warnings: hostWarnings(host),
      };
      return new ContainerRuntime(info, host, context);
    } catch (error) {
      launcher[Symbol.dispose]();
      throw error;
    }
  }

  private constructor(info: RuntimeInfo, host: HostFacts, context: Context) {
    this.info = info;
    this.host = host;
    this.#context = context;
    this.#execs = new ExecPids(context.layout);
    this.#control = new ControlFifo(context.layout, context.clock, context.logger);
  }

  async create(container: CreateContainer): Promise<{ readonly pid: number }> {
    const runtime = this.#runtime(container.runtime ?? this.info.default);
    await this.#turnstile.pass();
    return namingFullDisk(this.#context.layout.runDir, createContainer(this.#context, container, runtime));
  }

  async start(id: string): Promise<void> {
    const record = this.#record(id);
    await namingFullDisk(
      this.#context.layout.runDir,
      startContainer(this.#context, id, record, this.#runtime(record.runtime)),
    );
  }

  async kill(id: string, signal: number, options: { readonly all?: boolean } = {}): Promise<void> {
    const { layout } = this.#context;
    const record = this.#record(id);
    const group = this.#group(record);
    const first = this.#alive(id) ? readPid(layout.bundleFile(id, "pid")) : undefined;
    const pids = options.all ? await processesOf(this.#context, id, record) : first === undefined ? [] : [first];
    for (const pid of pids) {
      using process = openProcess(pid);
      if (process !== undefined) pidfdSendIfThere(process, signal);
    }
    // What is frozen by cgroup v1 does not even die.
    if (signal === SIGKILL && group.frozen()) await group.thaw();
  }

  async checkpoint(id: string, request: CheckpointRequest): Promise<void> {
    await checkpointContainer(this.#context, id, request, this.#runtime(this.#running(id).runtime));
  }

  specification(id: string): Promise<string> {
    this.#record(id);
    return readFile(this.#context.layout.bundleFile(id, "config.json"), "utf8");
  }

  abandon(id: string): void {
    const conmon = conmonOf(this.#context, id);
    using process = conmon === undefined ? undefined : openProcess(conmon);
    if (process !== undefined) pidfdSendIfThere(process, SIGKILL);
  }

  async pause(id: string): Promise<void> {
    await this.#group(this.#running(id)).freeze();
  }

  async resume(id: string): Promise<void> {
    await this.#group(this.#running(id)).thaw();
  }

  async update(id: string, resources: OciResources): Promise<void> {
    const record = this.#running(id);
    const runtime = this.#runtime(record.runtime);
    const asked = runtime.kind === "crun" ? await this.#withoutUnlimited(record, resources) : resources;
    const result = await runtimeCommand(
      this.#context,
      runtime,
      ["update", "--resources", "-", id],
      JSON.stringify(asked),
    );
    if (result.code === 0) return;
    throw runtimeError({ what: `update container ${id}`, command: "", output: result.stderr.toString() });
  }

  async exec(id: string, request: ExecRequest): Promise<ExecHandle> {
    await this.#turnstile.pass();
    const record = this.#running(id);
    const runtime = this.#runtime(record.runtime);
    return namingFullDisk(
      this.#context.layout.runDir,
      execInContainer(this.#context, id, request, runtime, this.#execs),
    );
  }

  async attach(id: string, options: AttachOptions): Promise<AttachStreams> {
    const record = this.#record(id);
    // conmon may still take connections while it ends.
    if (this.#context.exits.ended(id) !== undefined) throw notRunning(id);
    const attach = () => attachContainer(this.#context, id, record, options);
    return this.#attachQueue.pass(this.#context, id, attach);
  }

  resize(id: string, size: TerminalSize): void {
    this.#control.resize(id, size);
  }

  onExit(callback: (id: string, status: ExitStatus) => void): Disposable {
    return this.#context.exits.onExit(callback);
  }

  async state(id: string): Promise<ContainerState> {
    return containerState(this.#context, id);
  }

  async adopt(id: string): Promise<ContainerState> {
    return adoptContainer(this.#context, id);
  }

  async delete(id: string): Promise<void> {
    await removeContainer(this.#context, id);
    this.#attachQueue.forget(id);
  }

  async reopenLog(id: string): Promise<void> {
    this.#control.reopenLog(id);
  }

  async processes(id: string): Promise<readonly number[]> {
    return processesOf(this.#context, id, this.#record(id));
  }

  async stats(id: string): Promise<CgroupStats> {
    return this.#group(this.#record(id)).stats();
  }

  async top(id: string): Promise<readonly ProcessInfo[]> {
    return describeProcesses(await this.processes(id), this.#context.clock.now());
  }

  async listLeftovers(): Promise<readonly string[]> {
    return listLeftovers(this.#context);
  }

  async reconcile(live: Iterable<string>): Promise<Reconciled> {
    return reconcile(this.#context, live, this.#execs);
  }

  /** Lets go of everything in this process; containers run on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#control[Symbol.dispose]();
    this.#execs[Symbol.dispose]();
    this.#context.exits[Symbol.dispose]();
    this.#context.conmons[Symbol.dispose]();
    this.#context.launcher[Symbol.dispose]();
    this.#context.nulls?.[Symbol.dispose]();
  }

  #runtime(name: string): RuntimeBinary {
    const runtime = this.#context.runtimes.get(name);
    if (runtime !== undefined) return runtime;
    const reason = this.info.runtimes.find((candidate) => candidate.name === name)?.reason;
    const subject = { kind: "runtime", name };
    if (reason !== undefined) throw new FailedPrecondition(`runtime ${name} cannot be used: ${reason}`, { subject });
    throw new InvalidArgument(`unknown or invalid runtime name: ${name}`, { subject });
  }

  /** crun writes a limit of -1 as it stands, which the kernel does not take: such limits are taken away here. */
  async #withoutUnlimited(record: ContainerRecord, { pids, cpu, ...rest }: OciResources): Promise<OciResources> {
    const { quota = 0, ...others } = cpu ?? {};
    await this.#group(record).setLimits({
      ...(pids?.limit === -1 ? { pids: Number.POSITIVE_INFINITY } : {}),
      ...(quota < 0 ? { cpu: { quota: Number.POSITIVE_INFINITY } } : {}),
    });
    return {
      ...rest,
      ...(pids === undefined || pids.limit === -1 ? {} : { pids }),
      ...(cpu === undefined ? {} : { cpu: quota < 0 ? others : cpu }),
    };
  }

  #group({ cgroupsPath }: ContainerRecord): Cgroup {
    return openCgroup(cgroupsPath);
  }

  #record(id: string): ContainerRecord {
    const record = readRecord(this.#context.layout, id);
    if (record !== undefined) return record;
    throw new NotFound(`container ${id} does not exist`, { subject: { kind: "container", name: id } });
  }

  /** conmon reaps process 1 as its last deed: while it lives the number is nobody else's. */
  #alive(id: string): boolean {
    return this.#context.exits.ended(id) === undefined && conmonOf(this.#context, id) !== undefined;
  }

  #running(id: string): ContainerRecord {
    const record = this.#record(id);
    if (this.#alive(id)) return record;
    throw notRunning(id);
  }
}

function notRunning(id: string): FailedPrecondition {
  return new FailedPrecondition(`container ${id} is not running`, { subject: { kind: "container", name: id } });
}

function checkRunDir(path: string): void {
  if (!path.startsWith("/")) throw new InvalidArgument(`run directory ${path}: not an absolute path`);
}

/**
 * Which paths the launcher's namespace sees as we do, whatever is mounted there later: those below shared mounts. Makes
 * the given directories such.
 */
function followShared(roots: readonly string[]): (path: string) => boolean {
  const mounts = readMountinfo();
  const holder = (path: string) => mounts.findLast(({ mountPoint }) => isBelow(path, mountPoint));
  for (const root of roots) {
    mkdirSync(root, { recursive: true });
    if (holder(root)?.shared === undefined) ensureSharedMount(root);
  }
  const kept = mounts.filter(({ shared }) => shared === undefined).map(({ mountPoint }) => mountPoint);
  const within = (path: string, directories: readonly string[]) => directories.some((one) => isBelow(path, one));
  // Something private above a path, or below it, stays as it was.
  return (path) => within(path, roots) || !(within(path, kept) || kept.some((mountPoint) => isBelow(mountPoint, path)));
}

function hostWarnings(host: HostFacts): readonly string[] {
  const warnings: string[] = [];
  if (host.cgroup.version === "none") {
    warnings.push("running in rootless-mode without cgroups: containers have no limits, and cannot be paused");
  } else warnings.push(...lackingControllers(host));
  if (host.cgroup.controllers.has("memory") && !host.cgroup.swap) warnings.push("no swap limit support");
  if (!host.mayExceedLimits)
    warnings.push("resource limits cannot be raised above the daemon's own (no CAP_SYS_RESOURCE)");
  return warnings;
}

function lackingControllers(host: HostFacts): readonly string[] {
  const lacks = (controller: string, consequence: string): readonly string[] =>
    host.cgroup.controllers.has(controller) ? [] : [`no ${controller} cgroup: ${consequence}`];
  return [
    ...lacks("memory", "memory limits cannot be enforced"),
    ...lacks("cpu", "CPU limits cannot be enforced"),
    ...lacks("pids", "limits on processes cannot be enforced"),
  ];
}
