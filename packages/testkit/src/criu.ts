import { existsSync } from "node:fs";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { repositoryRoot, runProgram } from "./run-program.ts";

const unpacked = resolve(repositoryRoot, ".cache/criu/root");

export interface FoundCriu {
  /** In which it is found first. */
  readonly PATH: string;
  /** Why it does not work here; undefined where it does. */
  readonly reason: string | undefined;
}

/**
 * CRIU for tests: one of the development suite with its own libraries, which works on newer kernels, or the system's.
 *
 * @param directory made for its entry program; the caller's to remove
 */
export async function findCriu(directory: string): Promise<FoundCriu> {
  const program = `${unpacked}/usr/sbin/criu`;
  const own = existsSync(program);
  if (own) {
    const libraries = `${unpacked}/usr/lib/x86_64-linux-gnu`;
    await mkdir(directory, { recursive: true });
    const loader = `${libraries}/ld-linux-x86-64.so.2`;
    await writeFile(`${directory}/criu`, `#!/bin/sh\nexec ${loader} --library-path ${libraries} ${program} "$@"\n`);
    await chmod(`${directory}/criu`, 0o755);
  }
  const PATH = `${own ? `${directory}:` : ""}${process.env["PATH"] ?? ""}`;
  const check = await runProgram(["criu", "check"], { env: { PATH } }).catch(() => undefined);
  if (check?.status === 0) return { PATH, reason: undefined };
  return { PATH, reason: `criu does not work here: ${check?.stderr.split("\n")[0] ?? "it is not installed"}` };
}
