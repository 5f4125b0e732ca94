import { mkdirSync, readdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { InvalidArgument, systemCode } from "@boxship/base";
import type { StoredSandbox } from "./stored.ts";

interface SandboxFile {
  readonly boot: string;
  readonly sandbox: StoredSandbox;
}

/**
 * The sandboxes of an instance in the run directory, a file for each, named `<id>.<generation>.json`. Not synced:
 * namespaces end with the kernel that could lose these files. Calls are synchronous and take some 50 µs.
 *
 * A change is a new file under the next generation, after which the old one is removed: replacing it by rename would make
 * ext4 write the data out there and then. Of two generations the higher one counts.
 */
export class SandboxStore {
  readonly #directory: string;
  readonly #boot: string;
  readonly #generations = new Map<string, number>();

  constructor(runDir: string) {
    this.#directory = join(runDir, "sandboxes");
    this.#boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
  }

  /** The sandboxes of this boot; files of an earlier one, and half-written ones, are removed. */
  load(): StoredSandbox[] {
    const found = new Map<string, StoredSandbox>();
    for (const name of readdirSync(this.#directory)) {
      const [, id, digits] = /^(.+)\.(\d+)\.json$/.exec(name) ?? [];
      const file = id === undefined ? undefined : parse(readFileSync(join(this.#directory, name), "utf8"));
      const generation = Number(digits);
      const newer = (this.#generations.get(id ?? "") ?? -1) < generation;
      if (id === undefined || file?.boot !== this.#boot || !newer) {
        unlinkSync(join(this.#directory, name));
        continue;
      }
      if (this.#generations.has(id)) this.#unlink(id, this.#generations.get(id));
      this.#generations.set(id, generation);
      found.set(id, file.sandbox);
    }
    return [...found.values()];
  }

  save(sandbox: StoredSandbox): void {
    const { id } = sandbox;
    const before = this.#generations.get(id);
    const generation = (before ?? 0) + 1;
    const path = this.#path(id, generation);
    const file: SandboxFile = { boot: this.#boot, sandbox };
    writeFileSync(`${path}.tmp`, JSON.stringify(file), { mode: 0o600 });
    renameSync(`${path}.tmp`, path);
    this.#generations.set(id, generation);
    this.#unlink(id, before);
  }

  /** One that is not there is fine. */
  remove(id: string): void {
    this.#unlink(id, this.#generations.get(id));
    this.#generations.delete(id);
  }

  #unlink(id: string, generation: number | undefined): void {
    if (generation === undefined) return;
    try {
      unlinkSync(this.#path(id, generation));
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
    }
  }

  #path(id: string, generation: number): string {
    if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(id)) {
      throw new InvalidArgument(`${JSON.stringify(id)} cannot be the id of a sandbox`, {
        subject: { kind: "sandbox", name: id },
      });
    }
    return join(this.#directory, `${id}.${generation}.json`);
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
