import { chmod, chown, lstat, mkdir, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { dirname, join, posix } from "node:path";
import { Internal, Unsupported } from "@boxship/base";
import { descriptorPath, OpenFlag, openInRoot, pipe, readableFrom, SIGKILL, signalNumber } from "@boxship/kernel";
import { DEFAULT_CAPABILITIES, type OciMount, resolveUser, StartError } from "@boxship/runtime";
import { removeTreeAway } from "@boxship/storage";
import { makeDirectory, placeInRoot, takeFromRoot } from "../files/files.ts";
import type { BuildSession } from "../solver/session.ts";
import {
  type CommandExecutor,
  type CommandParts,
  type CommandResult,
  OutputTail,
} from "../solver/steps/command-executor.ts";
import { environmentOf } from "../solver/steps/container-executor.ts";
import type { Command } from "../solver/steps/run-command.ts";
import type { WorkingRoot } from "../solver/working-layer.ts";
import type { InRootMount, InRootRequest } from "./in-root-request.ts";
import { HOST_MOUNTS, type Isolation, isolationHere, startInRoot } from "./isolation.ts";
import type { PlacedMount } from "./placed-mounts.ts";
import { killStrays } from "./strays.ts";

/**
 * Commands in a root of their own, for an engine without the right to make containers. They have the network and the
 * rights of this process; with user namespaces also mounts, which are imitated by copies and moves without.
 */
export const inRootExecutor: CommandExecutor = {
  ownNetworks: false,
  check,
  run,
};

function check({ request }: BuildSession, command: Command): void {
  const { resources = {}, shmSize = 0, cgroupParent = "" } = request;
  const refused = [
    command.insecure ? "RUN --security=insecure" : "",
    !["default", "host", "none", ""].includes(command.network) ? `the network ${command.network}` : "",
    Object.keys(resources).length > 0 ? "limits of memory and CPU" : "",
    shmSize > 0 ? "the size of /dev/shm" : "",
    cgroupParent === "" ? "" : "a parent of control groups",
  ].find((what) => what !== "");
  if (refused === undefined) return;
  throw new Unsupported(`${refused} cannot be had in a build inside an unprivileged container`, {
    remedy: "leave it out, or build with an engine that runs containers",
  });
}

async function run(
  session: BuildSession,
  root: WorkingRoot,
  command: Command,
  parts: CommandParts,
): Promise<CommandResult> {
  const isolation = await isolationHere(session.parts.engine);
  if (command.network === "none" && isolation === "none") {
    throw new Unsupported("the network none cannot be had here: there are no user namespaces in this container", {
      remedy: "leave it out, or start the container with --security-opt seccomp=unconfined",
    });
  }
  await using owned = new AsyncDisposableStack();
  const mounts = isolation === "namespaces" ? parts.mounts.map(inRootMount) : undefined;
  if (isolation === "none") await place(root, parts.mounts, owned);
  const user = resolveUser(root.path, command.state.config.User ?? "");
  const host = HOST_MOUNTS.map((path): InRootMount => ({ source: path, target: path, readOnly: false }));
  const request: InRootRequest = {
    root: root.path,
    cwd: parts.cwd,
    uid: user.uid,
    groups: [user.gid, ...user.additionalGids.filter((gid) => gid !== user.gid)],
    args: command.args,
    env: environmentOf(command, parts, user),
    limits: session.request.ulimits ?? [],
    capabilities: DEFAULT_CAPABILITIES,
    mounts: mounts === undefined ? undefined : [...host, ...mounts],
  };
  return await execute(session, command, request, isolation, parts.secrets);
}

async function execute(
  session: BuildSession,
  command: Command,
  request: InRootRequest,
  isolation: Isolation,
  secrets: readonly Buffer[],
): Promise<CommandResult> {
  using stdout = pipe();
  using stderr = pipe();
  const output = new OutputTail(session, command.vertex, secrets);
  session.signal.throwIfAborted();
  const network = command.network === "none" ? { network: "none" as const } : {};
  const { child, failure } = await startInRoot(
    isolation,
    request,
    { stdout: stdout.writeEnd, stderr: stderr.writeEnd },
    network,
  );
  const onAbort = () => void child.kill(SIGKILL);
  session.signal.addEventListener("abort", onAbort, { once: true });
  try {
    if (session.signal.aborted) onAbort();
    for (const end of [stdout.writeEnd, stderr.writeEnd]) end.close();
    const read = async (name: "stdout" | "stderr", readEnd: typeof stdout.readEnd) => {
      for await (const data of readableFrom(readEnd.duplicate()) as AsyncIterable<Buffer>)
        await output.push(name, data);
    };
    const reading = Promise.all([read("stdout", stdout.readEnd), read("stderr", stderr.readEnd)]);
    reading.catch(() => {});
    const ended = await child.exited;
    // They may hold the outputs open.
    await killStrays();
    await reading;
    await output.end();
    const failed = await failure;
    if (failed !== undefined) {
      if (failed.exitCode !== undefined) throw new StartError(failed.message, failed.exitCode);
      throw new Internal(`the command cannot be started: ${failed.message}`);
    }
    const signal = ended.signal === undefined ? undefined : signalNumber(ended.signal);
    const code = signal === undefined ? (ended.code ?? 0) : 128 + signal;
    const status = { code, finishedAt: new Date(session.now()), oomKilled: false };
    return { status: signal === undefined ? status : { ...status, signal }, output: output.text() };
  } finally {
    session.signal.removeEventListener("abort", onAbort);
  }
}

function inRootMount({ type, source, destination, options = [] }: OciMount): InRootMount {
  if (type === "tmpfs") {
    const data = options.filter((option) => /^(?:mode|size|uid|gid)=/.test(option)).join(",");
    return { source: undefined, target: destination, readOnly: false, data };
  }
  return { source, target: destination, readOnly: options.includes("ro") };
}

/** Puts everything where it would be mounted, until `owned` takes it back. */
async function place(root: WorkingRoot, mounts: readonly OciMount[], owned: AsyncDisposableStack): Promise<void> {
  const aside = join(dirname(root.path), "aside");
  await mkdir(aside, { mode: 0o700 });
  owned.defer(() => removeTreeAway(aside));
  const own: PlacedMount[] = [
    { kind: "directory", target: "/proc", mode: 0o555 },
    { kind: "directory", target: "/sys", mode: 0o555 },
    { kind: "devices", target: "/dev" },
  ];
  const sockets: OciMount[] = [];
  for (const mount of mounts) {
    if (await isSocket(mount)) sockets.push(mount);
    else own.push(await placed(mount));
  }
  const placements = await placeInRoot(root.path, aside, own);
  owned.defer(() => takeFromRoot(root.path, aside, placements));
  for (const mount of sockets) owned.use(await forward(root, mount));
}

async function isSocket({ type, source }: OciMount): Promise<boolean> {
  return type === "bind" && source !== undefined && (await lstat(source)).isSocket();
}

async function placed({ type, source = "", destination, options = [] }: OciMount): Promise<PlacedMount> {
  if (type === "tmpfs") return { kind: "directory", target: destination, mode: 0o1777 };
  const isWritable = !options.includes("ro") && (await lstat(source)).isDirectory();
  return { kind: isWritable ? "move" : "copy", source, target: destination };
}

/** A socket is of no use as a copy: connections to another one go there. */
async function forward(root: WorkingRoot, { source = "", destination }: OciMount): Promise<AsyncDisposable> {
  const { mode, uid, gid } = await lstat(source);
  await makeDirectory(root.path, posix.dirname(destination));
  const above = openInRoot(root.path, posix.dirname(destination), OpenFlag.Path | OpenFlag.Directory);
  const path = join(descriptorPath(above), posix.basename(destination));
  const server = createServer((client) => {
    const other = connect(source);
    for (const side of [client, other]) {
      side.on("error", () => side.destroy());
      side.on("close", () => {
        client.destroy();
        other.destroy();
      });
    }
    client.pipe(other).pipe(client);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => resolve());
  });
  await chown(path, uid, gid);
  await chmod(path, mode & 0o7777);
  return {
    [Symbol.asyncDispose]: async () => {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      await rm(path, { force: true });
      above.close();
    },
  };
}
