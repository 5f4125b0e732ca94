import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { posix } from "node:path";
import { errorMessage, systemCode } from "@boxship/base/errors";
import {
  bindMount,
  type CapabilityName,
  changeRoot,
  descriptorPath,
  execute,
  Fd,
  FileType,
  fstat,
  limitCapabilities,
  MountAttribute,
  MountFlag,
  mknodat,
  mount,
  mountSetattr,
  OpenFlag,
  openat,
  openInRoot,
  resourceName,
  setChildSubreaper,
  setCloseOnExec,
  setResourceLimit,
  umask,
  writeAll,
} from "@boxship/kernel";
import { makeDirectories } from "../files/directories.ts";
import { openTree } from "../files/selection.ts";
import {
  FAILURE_DESCRIPTOR,
  type InRootFailure,
  type InRootMount,
  type InRootRequest,
  REQUEST_DESCRIPTOR,
} from "./in-root-request.ts";

/** A command cannot be executed. */
class NotExecutable extends Error {
  readonly exitCode: 126 | 127;

  constructor(message: string, exitCode: 126 | 127) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Becomes a command of a build: a process of its own, which is told on descriptor 3 what. Returns only by a failure. */
export function runInRoot(): number {
  const failures = new Fd(FAILURE_DESCRIPTOR);
  try {
    for (const standard of [0, 1, 2]) setCloseOnExec(standard, false);
    setCloseOnExec(failures, true);
    setCloseOnExec(REQUEST_DESCRIPTOR, true);
    become(JSON.parse(readFileSync(REQUEST_DESCRIPTOR, "utf8")) as InRootRequest);
  } catch (error) {
    const failure: InRootFailure = {
      message: errorMessage(error),
      ...(error instanceof NotExecutable ? { exitCode: error.exitCode } : {}),
    };
    writeAll(failures, Buffer.from(JSON.stringify(failure)));
    return 1;
  }
}

function become({ root, cwd, uid, groups, args, env, limits, capabilities, mounts }: InRootRequest): never {
  umask(0o022);
  // What the command leaves behind is its child until it ends, and the daemon's from then on.
  setChildSubreaper(true);
  for (const one of mounts ?? []) mountOne(root, one);
  for (const { name, soft, hard } of limits) setResourceLimit(resourceName(name), { soft, hard });
  changeRoot(root);
  process.chdir(cwd);
  if (mounts !== undefined) limitCapabilities(new Set(capabilities as readonly CapabilityName[]));
  const [gid = 0] = groups;
  process.setgroups?.([...groups]);
  process.setgid?.(gid);
  process.setuid?.(uid);
  const [name = ""] = args;
  const file = findExecutable(name, env);
  try {
    execute(file, args, env);
  } catch (error) {
    const reason = systemCode(error) === "ENOEXEC" ? "exec format error" : errorMessage(error);
    throw new NotExecutable(`exec ${file}: ${reason}`, systemCode(error) === "ENOENT" ? 127 : 126);
  }
}

function mountOne(root: string, { source, target, readOnly, data = "" }: InRootMount): void {
  const isDirectory = source === undefined || statSync(source).isDirectory();
  makeTarget(root, target, isDirectory);
  using place = openInRoot(root, target, OpenFlag.Path);
  const path = descriptorPath(place);
  if (source === undefined) {
    mount({ source: "tmpfs", target: path, type: "tmpfs", flags: MountFlag.NoSuid | MountFlag.NoDev, data });
    return;
  }
  bindMount({ source, target: path, recursive: true });
  if (!readOnly) return;
  // What it was opened as is below the mount now. Other flags are not for a user namespace to change.
  using mounted = openInRoot(root, target, OpenFlag.Path);
  mountSetattr(mounted, { set: MountAttribute.ReadOnly });
}

function makeTarget(root: string, target: string, isDirectory: boolean): void {
  try {
    using _there = openInRoot(root, target, OpenFlag.Path);
    return;
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
  using tree = openTree(root);
  using directory = makeDirectories(tree, isDirectory ? target : posix.dirname(target));
  if (isDirectory) return;
  using above = openat(directory, ".", OpenFlag.Path | OpenFlag.Directory);
  mknodat(above, posix.basename(target), FileType.Regular | 0o644);
  using made = openat(above, posix.basename(target), OpenFlag.Path | OpenFlag.NoFollow);
  if ((fstat(made).mode & FileType.Mask) !== FileType.Regular) throw new Error(`${target} cannot be made`);
}

function findExecutable(name: string, env: readonly string[]): string {
  const path = env.findLast((entry) => entry.startsWith("PATH="))?.slice("PATH=".length) ?? "";
  const places = name.includes("/") ? [name] : path.split(":").map((directory) => posix.join(directory || ".", name));
  let found = false;
  for (const place of places) {
    try {
      if (statSync(place).isDirectory()) continue;
      found = true;
      accessSync(place, constants.X_OK);
      return place;
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
    }
  }
  const words = JSON.stringify(name);
  if (found) throw new NotExecutable(`exec: ${words}: permission denied`, 126);
  const reason = name.includes("/") ? `stat ${name}: no such file or directory` : "executable file not found in $PATH";
  throw new NotExecutable(`exec: ${words}: ${reason}`, 127);
}
