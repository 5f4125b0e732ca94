import { join } from "node:path";
import { InvalidArgument, Unsupported } from "@boxship/base";
import { type EngineContext, StartFailed, type StreamSession } from "@boxship/engine";
import { SIGKILL } from "@boxship/kernel";
import {
  type AttachStreams,
  buildSpec,
  type ExitStatus,
  type OciMount,
  type OciSpec,
  resolveUser,
  type SpecRequest,
  StartError,
} from "@boxship/runtime";
import { makeDirectory } from "../files/files.ts";
import type { BuilderParts } from "../solver/session.ts";
import { DEFAULT_PATH, envMap } from "../solver/state.ts";
import { DEFAULT_MOUNT_POINTS, type JoinedNetwork, joinNetwork } from "../solver/steps/run-command.ts";
import { secretDirectory } from "../solver/steps/run-mounts.ts";
import type { OpenRoots } from "./open-roots.ts";
import type { WorkingRecord } from "./record.ts";
import type { WorkingCommand, WorkingMount } from "./working-contract.ts";

export interface RunParts {
  readonly builder: BuilderParts;
  readonly roots: OpenRoots;
}

/** A command in a working container. */
export interface RunningCommand {
  readonly session: StreamSession;
  /** Undefined while it runs. */
  readonly exitCode: number | undefined;
  /** When nothing of it is left. Never rejects. */
  readonly ended: Promise<void>;
  /** Kills it. */
  end(): void;
}

const NETWORK_FILES = ["/etc/resolv.conf", "/etc/hostname", "/etc/hosts"];

/**
 * Starts a command in a working container. It lives as long as whoever has its streams.
 *
 * @param signal kills it
 * @throws StartFailed
 */
export async function startCommand(
  { builder, roots }: RunParts,
  record: WorkingRecord,
  id: string,
  command: WorkingCommand,
  signal: AbortSignal,
): Promise<RunningCommand> {
  const { engine } = builder;
  if (engine.remap !== undefined) {
    throw new Unsupported("commands in working containers cannot be in the user namespace of containers", {
      remedy: "build from a Containerfile, or use an engine without usernsRemap",
    });
  }
  await using owned = new AsyncDisposableStack();
  const mounts = [...(record.settings.mounts ?? []), ...(command.mounts ?? [])];
  const points = [...DEFAULT_MOUNT_POINTS, ...NETWORK_FILES, ...mounts.map(({ target }) => target)];
  const root = owned.use(await roots.useForCommand(record.id, points));
  const directory = await secretDirectory(engine, owned);
  const hostname = command.hostname ?? record.hostname ?? record.id.slice(0, 12);
  const network = await joinNetwork(
    engine,
    {
      id,
      network: command.network ?? record.settings.network ?? "default",
      hostname,
      extraHosts: record.settings.extraHosts ?? [],
    },
    directory,
    owned,
  );
  const cwd = command.workingDir ?? record.config.WorkingDir ?? "/";
  const { uid, gid } = resolveUser(root.path, command.user ?? record.config.User ?? "");
  await makeDirectory(root.path, cwd === "" ? "/" : cwd, { uid, gid });
  const more = await Promise.all(mounts.map((mount) => mountOf(builder, mount, owned, signal)));
  const spec = specOf(engine, record, command, { id, root: root.path, cwd, hostname, network, mounts: more });
  const exited = Promise.withResolvers<ExitStatus>();
  owned.use(engine.runtime.onExit((other, status) => void (other === id && exited.resolve(status))));
  owned.defer(() => engine.runtime.delete(id));
  signal.throwIfAborted();
  const streams = await launch(engine, id, spec, command);
  const abandoned = Promise.withResolvers<void>();
  const kill = (): void => {
    abandoned.resolve();
    void engine.runtime.kill(id, SIGKILL, { all: true }).catch(() => {});
  };
  signal.addEventListener("abort", kill, { once: true });
  owned.defer(() => signal.removeEventListener("abort", kill));
  owned.defer(() => streams.close());
  const kept = owned.move();
  return followed(engine, {
    streams,
    exited: exited.promise,
    abandoned: abandoned.promise,
    kill,
    owned: kept,
    terminal: command.terminal === true,
  });
}

async function launch(
  engine: EngineContext,
  id: string,
  spec: OciSpec,
  command: WorkingCommand,
): Promise<AttachStreams> {
  const { runtime } = engine;
  try {
    await runtime.create({ id, spec, terminal: command.terminal === true, stdin: true, stdinOnce: true });
    const streams = await runtime.attach(id, { stdin: true, stdout: true, stderr: true });
    await runtime.start(id);
    return streams;
  } catch (error) {
    if (error instanceof StartError) throw new StartFailed(error.message, error.exitCode, { cause: error });
    throw error;
  }
}

interface Followed {
  readonly streams: AttachStreams;
  readonly exited: Promise<ExitStatus>;
  /** Nobody waits for the rest of its output. */
  readonly abandoned: Promise<void>;
  readonly kill: () => void;
  readonly owned: AsyncDisposableStack;
  readonly terminal: boolean;
}

function followed(
  engine: EngineContext,
  { streams, exited, abandoned, kill, owned, terminal }: Followed,
): RunningCommand {
  let exitCode: number | undefined;
  const read = Promise.withResolvers<void>();
  const ended = exited
    .then(async ({ code }) => {
      // What it wrote last may come after the news of its end.
      await Promise.race([read.promise, abandoned]);
      await owned.disposeAsync();
      exitCode = code;
    })
    .catch((error: unknown) => {
      exitCode ??= 125;
      engine.logger.error("something of a command in a working container stays", { error });
    });
  async function* output(): AsyncGenerator<{ readonly stream: "stdout" | "stderr"; readonly data: Buffer }> {
    try {
      yield* streams.output;
    } finally {
      read.resolve();
    }
    // The exit code can be asked for, and the next command be run, once the output has ended.
    await ended;
  }
  const session: StreamSession = {
    tty: terminal,
    ...(streams.stdin === undefined ? {} : { stdin: streams.stdin }),
    output: output(),
    close: () => {
      // Nobody is left who could end it.
      if (exitCode === undefined) kill();
      streams.close();
    },
  };
  return {
    session,
    get exitCode() {
      return exitCode;
    },
    ended,
    end: kill,
  };
}

async function mountOf(
  { mounts }: BuilderParts,
  { type, source, target, readOnly = false }: WorkingMount,
  owned: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<OciMount> {
  if (!target.startsWith("/")) throw new InvalidArgument(`the mount's target ${target} is not absolute`);
  const mode = readOnly ? "ro" : "rw";
  switch (type) {
    case "tmpfs":
      return { destination: target, type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", mode] };
    case "cache": {
      const taken = owned.use(await mounts.take({ id: source ?? target, sharing: "shared" }, signal));
      return { destination: target, type: "bind", source: taken.path, options: ["rbind", "rprivate", mode] };
    }
    case "bind":
      if (source === undefined || !source.startsWith("/")) {
        throw new InvalidArgument(`the mount on ${target} has no absolute source`, {
          remedy: "name a directory of the host",
        });
      }
      return { destination: target, type: "bind", source: join(source), options: ["rbind", "rprivate", mode] };
  }
}

interface SpecParts {
  readonly id: string;
  readonly root: string;
  readonly cwd: string;
  readonly hostname: string;
  readonly network: JoinedNetwork;
  readonly mounts: readonly OciMount[];
}

function specOf(engine: EngineContext, record: WorkingRecord, command: WorkingCommand, parts: SpecParts): OciSpec {
  const { settings, config, domainname } = record;
  const { id, root, cwd, hostname, network } = parts;
  const user = resolveUser(root, command.user ?? config.User ?? "");
  const env = new Map([...envMap(config.Env), ...envMap(command.env)]);
  const terminal = command.terminal === true;
  const defaults = { PATH: DEFAULT_PATH, ...(terminal ? { TERM: "xterm" } : {}), HOSTNAME: hostname, HOME: user.home };
  for (const [name, value] of Object.entries(defaults)) if (!env.has(name)) env.set(name, value);
  const parent = settings.cgroupParent ?? `/${engine.options.name}`;
  const {
    memory,
    memorySwap,
    cpuShares,
    cpuPeriod,
    cpuQuota,
    cpusetCpus,
    cpusetMems,
    shmSize,
    ulimits = [],
  } = settings;
  const limits = { memory, memorySwap, cpuShares, cpuPeriod, cpuQuota, cpusetCpus, cpusetMems };
  const { height = 0, width = 0 } = command;
  const request: SpecRequest = {
    args: command.args,
    env: [...env].map(([name, value]) => `${name}=${value}`),
    cwd: cwd === "" ? "/" : cwd,
    user,
    hostname,
    ...(domainname === undefined || domainname === "" ? {} : { domainname }),
    terminal,
    ...(terminal && height > 0 && width > 0 ? { consoleSize: { height, width } } : {}),
    rootfs: root,
    mounts: [...network.mounts, ...parts.mounts],
    capabilities: {
      add: [...(settings.capAdd ?? []), ...(command.capAdd ?? [])],
      drop: [...(settings.capDrop ?? []), ...(command.capDrop ?? [])],
    },
    rlimits: ulimits.map(({ name, soft, hard }) => ({ type: name, soft, hard })),
    ...(shmSize === undefined ? {} : { shmSize }),
    namespaces: { network: network.namespace === undefined ? "host" : { path: network.namespace } },
    resources: Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined)),
    cgroupsPath: `${parent.startsWith("/") ? parent : `/${parent}`}/${id}`,
  };
  return buildSpec(request, engine.runtime.host).spec;
}
