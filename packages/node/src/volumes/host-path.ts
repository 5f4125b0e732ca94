import { lstat, mkdir, stat, writeFile } from "node:fs/promises";
import { FailedPrecondition, Unsupported } from "@boxship/base";
import { awaitFileSystem } from "./file-system-answer.ts";

const CHECKS: Readonly<Record<string, (path: string) => Promise<boolean>>> = {
  Directory: async (path) => (await stat(path)).isDirectory(),
  File: async (path) => (await stat(path)).isFile(),
  Socket: async (path) => (await stat(path)).isSocket(),
  CharDevice: async (path) => (await stat(path)).isCharacterDevice(),
  BlockDevice: async (path) => (await stat(path)).isBlockDevice(),
};

/** Makes what is missing where the type says so. @throws FailedPrecondition for something else than the type says, DeadlineExceeded */
export async function checkHostPath(path: string, type: string): Promise<void> {
  await awaitFileSystem(path);
  const missing = (await lstat(path).catch(() => undefined)) === undefined;
  if (type === "") return;
  if (type === "DirectoryOrCreate" || type === "FileOrCreate") {
    if (missing && type === "FileOrCreate") await writeFile(path, "", { mode: 0o644, flag: "wx" });
    if (missing && type === "DirectoryOrCreate") await mkdir(path, { recursive: true, mode: 0o755 });
    return checkHostPath(path, type.replace("OrCreate", ""));
  }
  const check = CHECKS[type];
  if (check === undefined) throw new Unsupported(`hostPath type ${type} is not supported`);
  if (missing || !(await check(path))) {
    throw new FailedPrecondition(`hostPath type check failed: ${path} is not a ${type}`);
  }
}
