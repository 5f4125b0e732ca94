import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { FailedPrecondition, systemCode } from "@boxship/base";
import { readableFrom, writableTo } from "./descriptor-stream.ts";
import type { Fd } from "./fd.ts";
import { namespacePath, openNamespace } from "./namespace.ts";
import { pipe } from "./pipe.ts";
import { spawnProcess } from "./process.ts";
import { SIGKILL } from "./signals.ts";
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
 * Makes a network namespace that belongs to a user namespace: root of that one may do as it likes in it. Kept by the
 * returned descriptor.
 *
 * @param userNamespace path of its file
 */
export function createOwnedNetwork(userNamespace: string): Promise<Fd> {
  const enter = ["nsenter", `--user=${userNamespace}`, "--"];
  return whileHeld([...enter, "unshare", "--net", "--", "cat"], (pid) => openNamespace(namespacePath("net", pid)));
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
  const child = start(file, args, { 0: input.readEnd, 1: output.writeEnd, 2: errors.writeEnd });
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

function start(file: string, args: readonly string[], stdio: Readonly<Record<number, Fd>>) {
  try {
    return spawnProcess({ file, args, stdio, cwd: "/" });
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
