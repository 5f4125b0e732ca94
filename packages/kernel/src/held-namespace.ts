import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { FailedPrecondition, systemCode } from "@boxship/base";
import { readableFrom, writableTo } from "./descriptor-stream.ts";
import type { Fd } from "./fd.ts";
import { namespacePath, openNamespace } from "./namespace.ts";
import { pipe } from "./pipe.ts";
import { spawnProcess } from "./process.ts";
import { SIGKILL } from "./signals.ts";
import type { SpawnOptions } from "./spawn.ts";
import type { IdRange } from "./user-namespace.ts";

/**
 * Namespaces that no thread of ours can make or enter: user namespaces, and what belongs to one. A process that does
 * nothing (cat) is started in them by unshare(1) and nsenter(1) of util-linux, and ended once a descriptor keeps them.
 */

/** Which ids a user namespace has. */
export interface IdMaps {
  readonly uids: readonly IdRange[];
  readonly gids: readonly IdRange[];
}

/**
 * Makes a user namespace, kept by the returned descriptor. Needs the right to give all ids of the maps.
 *
 * @throws FailedPrecondition with the reason of unshare(1)
 */
export async function createUserNamespace({ uids, gids }: IdMaps): Promise<Fd> {
  return whileHeld(["unshare", "--user", "--", "cat"], (pid) => {
    // A map is written by one call, once.
    writeFileSync(`/proc/${pid}/uid_map`, mapText(uids));
    writeFileSync(`/proc/${pid}/gid_map`, mapText(gids));
    return openNamespace(namespacePath("user", pid));
  });
}

/**
 * Makes a namespace that belongs to a user namespace: root of that one may do as it likes in it. Kept by the returned
 * descriptor.
 *
 * @param userNamespace path of its file
 */
export function createOwnedNamespace(type: "ipc" | "net", userNamespace: string): Promise<Fd> {
  const enter = ["nsenter", `--user=${userNamespace}`, "--"];
  return whileHeld([...enter, "unshare", `--${type}`, "--", "cat"], (pid) => openNamespace(namespacePath(type, pid)));
}

/** What is to be the first process of a process namespace. */
export interface FirstProcess {
  /** Absolute; it sees its name without the directory as argument zero. */
  readonly file: string;
  readonly args: readonly string[];
}

/** Says its number as the machine counts, and becomes the program. */
const SAY_AND_BECOME = 'read -r pid rest < /proc/self/stat; echo "$pid"; exec "$0" "$@" > /dev/null 2>&1';

/**
 * Starts the first process of a process namespace that belongs to a user namespace. It is nobody's child here, and runs as
 * root of that namespace, who must be able to execute it.
 *
 * @param userNamespace path of its file
 * @returns its number
 * @throws FailedPrecondition with the reason of unshare(1)
 */
export async function startOwnedProcesses(userNamespace: string, { file, args }: FirstProcess): Promise<number> {
  using output = pipe();
  using errors = pipe();
  const make = [`--user=${userNamespace}`, "--", "unshare", "--pid", "--fork", "--"];
  const child = start("nsenter", [...make, "sh", "-c", SAY_AND_BECOME, basename(file), ...args], {
    stdio: { 1: output.writeEnd, 2: errors.writeEnd },
    env: { PATH: `${process.env["PATH"] ?? ""}:${dirname(file)}` },
    setsid: true,
  });
  output.writeEnd.close();
  errors.writeEnd.close();
  const complaint = textOf(readableFrom(errors.readEnd));
  const said = readableFrom(output.readEnd);
  const first = await Promise.race([once(said, "data"), once(said, "end")]);
  // It waits for the end of the program, which does without it.
  child.kill(SIGKILL);
  await child.exited;
  // The shell ends, or becomes the program, which has neither stream.
  const why = await complaint;
  said.destroy();
  const pid = Number(String(first[0] ?? "").trim());
  if (pid > 0 && nameOf(pid) === basename(file)) return pid;
  throw new FailedPrecondition(`a process namespace cannot be made: ${why.trim() || `${file} cannot be executed`}`);
}

/** Argument zero of a process; undefined when it has ended. */
function nameOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0", 1)[0];
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes(systemCode(error) ?? "")) return undefined;
    throw error;
  }
}

function mapText(ranges: readonly IdRange[]): string {
  return ranges.map(({ inside, outside, count }) => `${inside} ${outside} ${count}\n`).join("");
}

/** Runs a task as long as a command that ends in `cat` stands in the namespaces that it was told to make. */
async function whileHeld<T>(command: readonly string[], task: (pid: number) => T): Promise<T> {
  using input = pipe();
  using output = pipe();
  using errors = pipe();
  const [file = "", ...args] = command;
  const child = start(file, args, { stdio: { 0: input.readEnd, 1: output.writeEnd, 2: errors.writeEnd } });
  input.readEnd.close();
  output.writeEnd.close();
  errors.writeEnd.close();
  const complaint = textOf(readableFrom(errors.readEnd));
  const echo = readableFrom(output.readEnd);
  const feed = writableTo(input.writeEnd);
  // It may have ended already, which its silence tells.
  feed.on("error", () => {});
  try {
    feed.write("x");
    const answered = await Promise.race([once(echo, "data").then(() => true), once(echo, "end").then(() => false)]);
    if (answered) return task(child.pid);
    throw new FailedPrecondition(`namespaces cannot be made: ${(await complaint).trim() || "unshare ended at once"}`);
  } finally {
    child.kill(SIGKILL);
    feed.destroy();
    echo.destroy();
    await child.exited;
    await complaint;
  }
}

function start(file: string, args: readonly string[], options: Pick<SpawnOptions, "env" | "setsid" | "stdio">) {
  try {
    return spawnProcess({ file, args, ...options, cwd: "/" });
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    throw new FailedPrecondition(`${file} is not on this host`, { remedy: "install util-linux", cause: error });
  }
}

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  let text = "";
  try {
    for await (const piece of stream) text += piece.toString();
  } catch {
    // What came until then is enough.
  }
  return text;
}
