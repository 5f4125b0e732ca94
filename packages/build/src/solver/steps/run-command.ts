import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { InvalidArgument } from "@boxship/base";
import { checkRemapped, type EngineContext, mapIfPossible, type Remap, releaseSources } from "@boxship/engine";
import { type OciMount } from "@boxship/runtime";
import { inRootExecutor } from "../../confined/in-root-executor.ts";
import { findMountStubs, makeDirectory, removeMountStubs } from "../../files/files.ts";
import type { RunInstruction } from "../../language/index.ts";
import { CommandFailed } from "../failure.ts";
import type { BuildSession } from "../session.ts";
import type { StageState } from "../state.ts";
import type { WorkingRoot } from "../working-layer.ts";
import type { CommandExecutor } from "./command-executor.ts";
import { containerExecutor, hostnameOf } from "./container-executor.ts";
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

/** What every container gets mounted. */
export const DEFAULT_MOUNT_POINTS = ["/proc", "/dev", "/sys"];

/** What commands of this engine are run by. */
export function executorOf({ options }: EngineContext): CommandExecutor {
  return options.confined !== undefined ? inRootExecutor : containerExecutor;
}

/**
 * Runs a command on top of a root to its end. Nothing of it is left afterwards but what it wrote: no process, no network,
 * no mount, and no empty file that something was mounted on.
 *
 * @throws CommandFailed for another exit code than 0
 */
export async function runCommand(session: BuildSession, root: WorkingRoot, command: Command): Promise<void> {
  await using owned = new AsyncDisposableStack();
  const { engine } = session.parts;
  const { remap } = engine;
  const executor = executorOf(engine);
  executor.check(session, command);
  checkRemapped(engine, { privileged: command.insecure, networkMode: command.network });
  const directory = await secretDirectory(engine, owned);
  const opened = await openMounts(session, command.mounts, root.path, directory, owned);
  const joined = executor.ownNetworks ? command.network : "host";
  const wish = { id: command.id, network: joined, hostname: hostnameOf(session, command.id) };
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
  const parts = { cwd, mounts, env: opened.env, namespace: network.namespace, secrets: opened.secrets };
  const { status, output } = await executor.run(session, root, command, parts);
  await removeMountStubs(root.path, stubs);
  session.signal.throwIfAborted();
  if (status.code !== 0) throw new CommandFailed(command.args, status, output);
}

/** In a user namespace sources are shown with the owners that it knows. Other trees of layers are so already. */
function withOwners(remap: Remap | undefined, id: string, mounts: readonly OciMount[]): readonly OciMount[] {
  if (remap === undefined) return mounts;
  return mounts.map((mount) =>
    mount.type === "bind" && mount.source !== undefined
      ? { ...mount, source: mapIfPossible(remap, id, mount.source) }
      : mount,
  );
}

/** Writes a script where it can be mounted from. */
async function scriptMount(directory: string, file: NonNullable<Command["file"]>): Promise<OciMount> {
  const source = join(directory, "script");
  await writeFile(source, file.content);
  await chmod(source, 0o755);
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
