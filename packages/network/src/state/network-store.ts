import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { FailedPrecondition, type Logger, setAside, systemCode, writeFileAtomic } from "@boxship/base";
import type { StoredNetwork } from "./stored.ts";

const VERSION = 1;

interface NetworkFile {
  readonly version: number;
  readonly networks: readonly StoredNetwork[];
}

/** The networks of an instance on disk: one file, replaced whole and synced. */
export class NetworkStore {
  readonly #root: string;
  readonly #logger: Logger;

  constructor(root: string, logger: Logger) {
    this.#root = root;
    this.#logger = logger;
  }

  get #file(): string {
    return join(this.#root, "networks.json");
  }

  /**
   * Empty when nothing was saved yet, or nothing that can be read: such a file is set aside. Throws
   * {@link FailedPrecondition} for a file of another version.
   */
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
    let file: NetworkFile;
    try {
      file = parse(text);
    } catch (error) {
      await setAside(this.#file, "the list of networks", error, this.#logger);
      return [];
    }
    if (file.version !== VERSION) {
      throw new FailedPrecondition(`${this.#file} was written by another version of this program (${file.version})`, {
        remedy: "use the version that wrote it, or move it away to start without networks",
      });
    }
    return [...file.networks];
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

function parse(text: string): NetworkFile {
  const { version, networks } = JSON.parse(text) as Partial<NetworkFile>;
  if (typeof version !== "number" || !Array.isArray(networks)) throw new SyntaxError("it holds no list of networks");
  return { version, networks };
}
