import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Internal, systemCode, writeFileAtomic } from "@boxship/base";
import type { StoredNetwork } from "./stored.ts";

const VERSION = 1;

/** The networks of an instance on disk: one file, replaced whole and synced. */
export class NetworkStore {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  get #file(): string {
    return join(this.#root, "networks.json");
  }

  /** Empty when nothing was saved yet. Throws {@link Internal} for a file of another version. */
  async load(): Promise<StoredNetwork[]> {
    await mkdir(this.#root, { recursive: true, mode: 0o700 });
    await this.#removeHalfWritten();
    let text: string;
    try {
      text = await readFile(this.#file, "utf8");
    } catch (error) {
      if (systemCode(error) === "ENOENT") return [];
      throw error;
    }
    const { version, networks } = JSON.parse(text) as { version: number; networks: StoredNetwork[] };
    if (version !== VERSION) throw new Internal(`${this.#file} has version ${version}, not ${VERSION}`);
    return networks;
  }

  /** A crash in the middle of a save leaves the new file under its temporary name. */
  async #removeHalfWritten(): Promise<void> {
    for (const name of await readdir(this.#root)) {
      if (/^networks\.json\..+\.tmp$/.test(name)) await rm(join(this.#root, name), { force: true });
    }
  }

  /** Durable once it resolves. */
  async save(networks: readonly StoredNetwork[]): Promise<void> {
    await writeFileAtomic(this.#file, JSON.stringify({ version: VERSION, networks }, undefined, 1));
  }
}
