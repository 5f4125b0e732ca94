import { readFileSync, writeFileSync } from "node:fs";
import { chmod, stat } from "node:fs/promises";
import { join } from "node:path";
import { FailedPrecondition, makeDirectories, systemCode } from "@boxship/base";
import { tryLockFile } from "@boxship/kernel";

/** Makes a directory (and its parents) that only root may change; an existing one must belong to root. */
export async function makeDirectory(path: string, mode: number): Promise<void> {
  const subject = { kind: "directory", name: path } as const;
  const made = await makeDirectories(path, mode).catch((cause: unknown) => {
    const code = systemCode(cause);
    if (code !== "EEXIST" && code !== "ENOTDIR") throw cause;
    throw new FailedPrecondition(`${path} is no directory, or lies below something that is none`, {
      subject,
      cause,
      remedy: "choose another --root",
    });
  });
  if (made) await chmod(path, mode);
  const { uid } = await stat(path);
  if (uid !== 0) {
    throw new FailedPrecondition(`${path} belongs to user ${uid}, not to root`, {
      subject,
      remedy: "choose another --root, or change its owner",
    });
  }
}

/**
 * One daemon per directory; the lock ends with the process. The file says who has it.
 *
 * @throws FailedPrecondition saying `another daemon is using DIRECTORY`, by which the command line tells one that starts the
 * same instance at the same moment
 */
export function claim(directory: string, { name }: { readonly name: string }): Disposable {
  const path = join(directory, "lock");
  const lock = tryLockFile(path);
  if (lock !== undefined) {
    note(path, name);
    return lock;
  }
  const [pid = "", holder = ""] = readFileSync(path, "utf8").trim().split(" ");
  const whose = /^\d+$/.test(pid) ? ` (process ${pid}, instance ${holder})` : "";
  throw new FailedPrecondition(`another daemon is using ${directory}${whose}`, {
    subject: { kind: "instance", name },
    remedy: `stop it${holder === "" ? "" : ` ('boxship --name ${holder} daemon stop')`}, or start this one with another --name and --root`,
  });
}

/** For messages only: on a full disk the lock holds without it. */
function note(path: string, name: string): void {
  try {
    writeFileSync(path, `${process.pid} ${name}\n`);
  } catch (error) {
    if (systemCode(error) !== "ENOSPC" && systemCode(error) !== "EDQUOT") throw error;
  }
}
