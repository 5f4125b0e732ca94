import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { InvalidArgument } from "@boxship/base";
import type { StoredSandbox } from "./stored.ts";

interface SandboxFile {
  readonly boot: string;
  readonly sandbox: StoredSandbox;
}

/**
 * The sandboxes of an instance in the run directory, a file for each, replaced by rename. Not synced: namespaces end
 * with the kernel that could lose these files. Calls are synchronous and take some 50 µs on a tmpfs.
 */
export class SandboxStore {
  readonly #directory: string;
  readonly #boot: string;

  constructor(runDir: string) {
    this.#directory = join(runDir, "sandboxes");
    this.#boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
  }

  /** The sandboxes of this boot; files of an earlier one, and half-written ones, are removed. */
  load(): StoredSandbox[] {
    return readdirSync(this.#directory).flatMap((name) => {
      const path = join(this.#directory, name);
      const file = name.endsWith(".json") ? parse(readFileSync(path, "utf8")) : undefined;
      if (file?.boot === this.#boot) return [file.sandbox];
      rmSync(path);
      return [];
    });
  }

  save(sandbox: StoredSandbox): void {
    const path = this.#path(sandbox.id);
    const file: SandboxFile = { boot: this.#boot, sandbox };
    writeFileSync(`${path}.tmp`, JSON.stringify(file), { mode: 0o600 });
    renameSync(`${path}.tmp`, path);
  }

  /** One that is not there is fine. */
  remove(id: string): void {
    rmSync(this.#path(id), { force: true });
  }

  #path(id: string): string {
    if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(id)) {
      throw new InvalidArgument(`${JSON.stringify(id)} cannot be the id of a sandbox`, {
        subject: { kind: "sandbox", name: id },
      });
    }
    return join(this.#directory, `${id}.json`);
  }
}

/** A power cut may leave a file without its content, which then is of an earlier boot for sure. */
function parse(text: string): SandboxFile | undefined {
  try {
    return JSON.parse(text) as SandboxFile;
  } catch {
    return undefined;
  }
}
