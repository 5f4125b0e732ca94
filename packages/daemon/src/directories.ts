import { chmod, mkdir, stat } from "node:fs/promises";
import { FailedPrecondition } from "@boxship/base";

/** Makes a directory (and its parents) that only root may change; an existing one must belong to root. */
export async function makeDirectory(path: string, mode: number): Promise<void> {
  const made = await mkdir(path, { recursive: true, mode });
  if (made !== undefined) await chmod(path, mode);
  const { uid } = await stat(path);
  if (uid !== 0) {
    throw new FailedPrecondition(`${path} belongs to user ${uid}, not to root`, {
      subject: { kind: "directory", name: path },
      remedy: "choose another --root, or change its owner",
    });
  }
}
