import { chownSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { dirname } from "node:path";
import {
  AlreadyExists,
  type BoxshipError,
  DeadlineExceeded,
  FailedPrecondition,
  Internal,
  InvalidArgument,
  systemCode,
} from "@boxship/base";
import { SIGKILL } from "@boxship/kernel";
import type { CreateContainer } from "../contract.ts";
import type { OciIdMapping, OciSpec } from "../spec/oci.ts";
import { prepareCgroupParent } from "./cgroup-parent.ts";
import { restoreFailure } from "./checkpoint.ts";
import { type StartedConmon, startConmon } from "./conmon.ts";
import { conmonEnded } from "./conmon-end.ts";
import { type Context, type RuntimeBinary, specFor } from "./context.ts";
import { removeContainer } from "./delete.ts";
import { checkId } from "./layout.ts";
import { writeRecord } from "./record.ts";
import { runtimeError } from "./runtime-error.ts";

/** Writes the bundle and starts conmon; when anything fails nothing is left. */
export async function createContainer(
  context: Context,
  container: CreateContainer,
  runtime: RuntimeBinary,
): Promise<{ readonly pid: number }> {
  const { id, spec } = container;
  checkId("container", id);
  if (spec.linux.cgroupsPath === undefined || !spec.linux.cgroupsPath.startsWith("/")) {
    throw new InvalidArgument(`container ${id}: linux.cgroupsPath must be an absolute path`);
  }
  if ((spec.process.terminal ?? false) !== container.terminal) {
    throw new InvalidArgument(`container ${id}: process.terminal of its spec differs from the request`);
  }
  if (container.logPath?.includes(":")) {
    // conmon takes what follows for something else.
    throw new InvalidArgument(`container ${id}: log path ${container.logPath} must not contain a colon`);
  }
  if (container.restoreFrom !== undefined) await context.criu.require(runtime);
  claimId(context, id);
  try {
    await prepareCgroupParent(dirname(spec.linux.cgroupsPath), context.logger);
    const filtered = context.filters.apply(runtime, id, spec);
    writeBundle(context, { ...container, spec: filtered.spec }, runtime);
    if (runtime.needsLauncher) context.launcher.cover(await hostPaths(context, container));
    container.signal?.throwIfAborted();
    const conmon = startConmon(context, container, runtime);
    writeFileSync(context.layout.bundleFile(id, "conmon.pid"), String(conmon.process.pid), { mode: 0o600 });
    const created = await within(context, container, conmon);
    if ("failure" in created) throw createError(context, container, created.failure);
    // One that is restored runs already, and could have put other files there.
    if (container.restoreFrom === undefined) giveStreams(created.pid, spec);
    filtered.learn();
    context.exits.expect(id);
    context.exits.check(id);
    conmon.process.exited.then(
      () => conmonEnded(context, id),
      (error: unknown) => context.logger.error("cannot watch conmon", { container: id, error }),
    );
    return created;
  } catch (error) {
    await removeContainer(context, id).catch((failure: unknown) => {
      context.logger.error("cannot remove a container that could not be created", { container: id, error: failure });
    });
    throw error;
  }
}

/**
 * Gives the pipes that are a process's standard streams to its user, if that is one of another user namespace: it could
 * not open them again by name (`/dev/stdout`).
 */
function giveStreams(pid: number, { linux, process: { terminal, user } }: OciSpec): void {
  const { uidMappings = [], gidMappings = [] } = linux;
  if (terminal === true || uidMappings.length === 0) return;
  const [uid, gid] = [outside(user.uid, uidMappings), outside(user.gid, gidMappings)];
  if (uid === undefined || gid === undefined) return;
  for (const descriptor of [0, 1, 2]) {
    const path = `/proc/${pid}/fd/${descriptor}`;
    try {
      if (statSync(path).isFIFO()) chownSync(path, uid, gid);
    } catch (error) {
      // It has ended already.
      if (systemCode(error) !== "ENOENT" && systemCode(error) !== "ESRCH") throw error;
    }
  }
}

function outside(id: number, maps: readonly OciIdMapping[]): number | undefined {
  const range = maps.find(({ containerID, size }) => id >= containerID && id < containerID + size);
  return range === undefined ? undefined : range.hostID + id - range.containerID;
}

/**
 * Waits for the runtime, but not for ever: it may hang in a mount that does not answer. conmon takes it along when it is
 * killed.
 */
async function within(
  { clock, createTimeout }: Context,
  { id, signal }: CreateContainer,
  conmon: StartedConmon,
): ReturnType<typeof startConmon>["created"] {
  const given = Promise.withResolvers<never>();
  using _timer = clock.setTimeout(createTimeout, () =>
    given.reject(
      new DeadlineExceeded(`the runtime did not create container ${id} within ${createTimeout / 1000} seconds`, {
        subject: { kind: "container", name: id },
        remedy: "look for a mount of the container whose server does not answer",
      }),
    ),
  );
  const onAbort = () => given.reject(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([conmon.created, given.promise]);
  } catch (error) {
    conmon.created.catch(() => {});
    conmon.process.kill(SIGKILL);
    throw error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

function createError({ layout }: Context, container: CreateContainer, output: string): BoxshipError {
  const { id, spec, restoreFrom } = container;
  const reason = restoreFrom === undefined ? undefined : restoreFailure(layout.bundle(id));
  if (reason !== undefined) {
    return new FailedPrecondition(`container ${id} cannot be restored: ${reason}`, {
      subject: { kind: "container", name: id },
    });
  }
  return runtimeError({ what: `create container ${id}`, command: spec.process.args[0] ?? "", output });
}

/** Making the bundle's directory is what makes an id taken. */
function claimId({ layout }: Context, id: string): void {
  try {
    mkdirSync(layout.bundle(id), { mode: 0o700 });
  } catch (error) {
    if (systemCode(error) !== "EEXIST")
      throw new Internal(`cannot make the bundle of container ${id}`, { cause: error });
    throw new AlreadyExists(`container ${id} exists already`, {
      subject: { kind: "container", name: id },
      cause: error,
    });
  }
}

function writeBundle({ layout }: Context, container: CreateContainer, runtime: RuntimeBinary): void {
  const { id, spec, terminal, stdin, stdinOnce = false } = container;
  rmSync(layout.exitFile(id), { force: true });
  writeRecord(layout, id, {
    runtime: runtime.name,
    cgroupsPath: spec.linux.cgroupsPath ?? "",
    rootfs: spec.root.path,
    terminal,
    stdin,
    stdinOnce,
    command: spec.process.args[0] ?? "",
  });
  writeFileSync(layout.bundleFile(id, "config.json"), specFor(runtime, spec), { mode: 0o600 });
}

/** What of the host's file tree the container uses, beyond what the launcher's namespace follows anyway; without links. */
async function hostPaths({ follows }: Context, { spec }: CreateContainer): Promise<readonly string[]> {
  const binds = spec.mounts.flatMap(({ type, source, options = [] }) =>
    source?.startsWith("/") && (type === "bind" || options.includes("bind") || options.includes("rbind"))
      ? [source]
      : [],
  );
  const namespaces = spec.linux.namespaces.flatMap(({ path }) =>
    path === undefined || path.startsWith("/proc/") ? [] : [path],
  );
  const paths = [spec.root.path, ...binds, ...namespaces].filter((path) => !follows(path));
  // One that is not there is the runtime's to complain about.
  return Promise.all(paths.map((path) => realpath(path).catch(() => path)));
}
