import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { InvalidArgument } from "@boxship/base";
import {
  checkRemapped,
  type EngineContext,
  mapSource,
  ociUserNamespace,
  type Remap,
  releaseSources,
  remappedRuntime,
} from "@boxship/engine";
import {
  buildSpec,
  type ExitStatus,
  type OciMount,
  type OciSpec,
  resolveUser,
  type SpecRequest,
} from "@boxship/runtime";
import { findMountStubs, makeDirectory, removeMountStubs } from "../../files/files.ts";
import type { RunInstruction } from "../../language/index.ts";
import { CommandFailed } from "../failure.ts";
import type { BuildSession } from "../session.ts";
import { DEFAULT_PATH, envMap, type StageState } from "../state.ts";
import type { WorkingRoot } from "../working-layer.ts";
import { writeScript } from "./run.ts";
import { openMounts, type PlannedMount, secretDirectory } from "./run-mounts.ts";

export interface Command {
  readonly id: string;
  readonly vertex: string;
  readonly instruction: RunInstruction;
  readonly state: StageState;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly mounts: readonly PlannedMount[];
  readonly network: string;
  readonly insecure: boolean;
  readonly file?: { readonly path: string; readonly content: string };
}

/** The last of a command's output that is kept for the message of its failure, in bytes. */
const KEPT_OUTPUT = 8 << 10;
/** What every container gets mounted. */
export const DEFAULT_MOUNT_POINTS = ["/proc", "/dev", "/sys"];

/**
 * Runs a command in a container to its end. Nothing of it is left afterwards but what it wrote: no process, no network,
 * no mount, and no empty file that something was mounted on.
 *
 * @throws CommandFailed for another exit code than 0
 */
export async function runCommand(session: BuildSession, root: WorkingRoot, command: Command): Promise<void> {
  await using owned = new AsyncDisposableStack();
  const { engine } = session.parts;
  const { remap } = engine;
  checkRemapped(engine, { privileged: command.insecure, networkMode: command.network });
  const directory = await secretDirectory(engine, owned);
  const opened = await openMounts(session, command.mounts, root.path, directory, owned);
  const wish = { id: command.id, network: command.network, hostname: hostnameOf(session, command.id) };
  const extraHosts = session.request.extraHosts ?? [];
  const network = await joinNetwork(session.parts.engine, { ...wish, extraHosts }, directory, owned);
  const script = command.file === undefined ? [] : [await scriptMount(directory, command.file)];
  const mounts = withOwners(remap, command.id, [...network.mounts, ...opened.mounts, ...script]);
  owned.defer(() => releaseSources(remap, command.id));
  const points = [...DEFAULT_MOUNT_POINTS, ...mounts.map(({ destination }) => destination)];
  const stubs = await findMountStubs(root.path, points);
  for (const { path, above } of stubs) root.touched.push(path, above);
  const cwd = command.state.config.WorkingDir || "/";
  await makeDirectory(root.path, cwd, remap?.root);
  const spec = specOf(session, root, command, { cwd, mounts, env: opened.env, namespace: network.namespace });
  const { status, output } = await execute(session, command, spec);
  await removeMountStubs(root.path, stubs);
  session.signal.throwIfAborted();
  if (status.code !== 0) throw new CommandFailed(command.args, status, output);
}

/** In a user namespace sources are shown with the owners that it knows. Other trees of layers are so already. */
function withOwners(remap: Remap | undefined, id: string, mounts: readonly OciMount[]): readonly OciMount[] {
  if (remap === undefined) return mounts;
  return mounts.map((mount) =>
    mount.type === "bind" && mount.source !== undefined
      ? { ...mount, source: mapSource(remap, id, mount.source) }
      : mount,
  );
}

async function scriptMount(directory: string, file: NonNullable<Command["file"]>): Promise<OciMount> {
  const source = await writeScript(directory, file.content);
  return { destination: file.path, type: "bind", source, options: ["bind", "ro"] };
}

export interface JoinedNetwork {
  /** Undefined: the host's. */
  readonly namespace: string | undefined;
  readonly mounts: readonly OciMount[];
}

/** What a command's network is made for. */
export interface NetworkWish {
  readonly id: string;
  /** `default`, `none`, `host`, or a network of the engine. */
  readonly network: string;
  readonly hostname: string;
  /** `name:address`. */
  readonly extraHosts: readonly string[];
}

/** Gives a command its network and the files that go with it. Both last as long as `owned`. */
export async function joinNetwork(
  { network, remap }: EngineContext,
  { id, network: mode, hostname, extraHosts: given }: NetworkWish,
  directory: string,
  owned: AsyncDisposableStack,
): Promise<JoinedNetwork> {
  const extraHosts = given.map(hostOf);
  const files = {
    resolvConf: join(directory, "resolv.conf"),
    hosts: join(directory, "hosts"),
    hostname: join(directory, "hostname"),
  };
  const write = async (resolvConf: string, hosts: string): Promise<readonly OciMount[]> => {
    await writeFile(files.resolvConf, resolvConf, { mode: 0o644 });
    await writeFile(files.hosts, hosts, { mode: 0o644 });
    await writeFile(files.hostname, `${hostname}\n`, { mode: 0o644 });
    const bind = (source: string, destination: string): OciMount => ({
      destination,
      type: "bind",
      source,
      options: ["rbind", "rprivate"],
    });
    return [
      bind(files.resolvConf, "/etc/resolv.conf"),
      bind(files.hostname, "/etc/hostname"),
      bind(files.hosts, "/etc/hosts"),
    ];
  };
  if (mode === "host") {
    return { namespace: undefined, mounts: await write(network.hostResolvConf(), network.hostHostsFile(extraHosts)) };
  }
  const sandbox = await network.createSandbox(id, {
    hostname,
    extraHosts,
    ...(remap === undefined ? {} : { userNamespace: remap.path }),
  });
  owned.defer(() => network.removeSandbox(id));
  if (mode !== "none") {
    const name = mode === "default" || mode === "" ? "bridge" : mode;
    await network.connect({ sandboxId: id, networkId: network.getNetwork(name).id, name: `build-${id.slice(0, 12)}` });
  }
  return { namespace: sandbox.path, mounts: await write(network.resolvConf(id), network.hostsFile(id)) };
}

function hostOf(entry: string): { readonly name: string; readonly address: string } {
  const [, name, address] = /^([^:=]+)[:=]\[?(.+?)\]?$/.exec(entry) ?? [];
  if (name === undefined || address === undefined) {
    throw new InvalidArgument(`bad format for add-host: "${entry}"`, {
      remedy: "write --add-host name:address",
    });
  }
  return { name, address };
}

interface SpecParts {
  readonly cwd: string;
  readonly mounts: readonly OciMount[];
  readonly env: readonly string[];
  readonly namespace: string | undefined;
}

function specOf(session: BuildSession, root: WorkingRoot, command: Command, parts: SpecParts): OciSpec {
  const { engine } = session.parts;
  const { request } = session;
  const user = resolveUser(root.path, command.state.config.User ?? "");
  const env = [...command.env, ...parts.env];
  const has = envMap(env);
  const parent = request.cgroupParent || `/${engine.options.name}`;
  const spec: SpecRequest = {
    args: command.args,
    env: [
      ...(has.has("PATH") ? [] : [`PATH=${DEFAULT_PATH}`]),
      ...(has.has("HOME") ? [] : [`HOME=${user.home}`]),
      ...env,
    ],
    cwd: parts.cwd,
    user,
    hostname: hostnameOf(session, command.id),
    rootfs: root.path,
    mounts: parts.mounts,
    privileged: command.insecure,
    rlimits: (request.ulimits ?? []).map(({ name, soft, hard }) => ({ type: name, soft, hard })),
    ...(request.shmSize === undefined || request.shmSize === 0 ? {} : { shmSize: request.shmSize }),
    namespaces: {
      network: parts.namespace === undefined ? "host" : { path: parts.namespace },
      ...ociUserNamespace(engine.remap, engine.remap?.path),
    },
    ...(request.resources === undefined ? {} : { resources: request.resources }),
    cgroupsPath: `${parent.startsWith("/") ? parent : `/${parent}`}/${command.id}`,
  };
  return buildSpec(spec, engine.runtime.host).spec;
}

async function execute(
  session: BuildSession,
  command: Command,
  spec: OciSpec,
): Promise<{ readonly status: ExitStatus; readonly output: string }> {
  const { runtime, remap } = session.parts.engine;
  const { id, vertex } = command;
  await using owned = new AsyncDisposableStack();
  const exited = Promise.withResolvers<ExitStatus>();
  owned.use(runtime.onExit((other, status) => void (other === id && exited.resolve(status))));
  owned.defer(() => runtime.delete(id));
  await runtime.create({
    id,
    spec,
    terminal: false,
    stdin: false,
    ...(remap === undefined ? {} : { runtime: remappedRuntime(session.parts.engine) }),
  });
  const streams = await runtime.attach(id, { stdin: false, stdout: true, stderr: true });
  owned.defer(() => streams.close());
  let output = Buffer.alloc(0);
  const reading = (async () => {
    for await (const { stream, data } of streams.output as AsyncIterable<{
      stream: "stdout" | "stderr";
      data: Buffer;
    }>) {
      await session.tell({ kind: "log", vertex, time: session.now(), stream, data });
      output = Buffer.concat([output, data]).subarray(-KEPT_OUTPUT);
    }
  })();
  const onAbort = () => void runtime.kill(id, 9, { all: true }).catch((error: unknown) => exited.reject(error));
  session.signal.addEventListener("abort", onAbort, { once: true });
  owned.defer(() => session.signal.removeEventListener("abort", onAbort));
  session.signal.throwIfAborted();
  await runtime.start(id);
  const [status] = await Promise.all([exited.promise, reading]);
  return { status, output: output.toString() };
}

/** As Docker's builders call their containers. */
function hostnameOf(session: BuildSession, id: string): string {
  return session.request.history === "buildkit" ? "buildkitsandbox" : id.slice(0, 12);
}
