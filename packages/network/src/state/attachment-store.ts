import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage, type Logger, syncDirectory, systemCode, writeFileAtomic } from "@boxship/base";
import type { CniNetworkList } from "../cni/configuration.ts";
import type { CniResult } from "../cni/network-list.ts";
import type { CniAttachment } from "../cni/plugin.ts";

/** A container on a CNI network, from before its plugins are run until they have undone everything. */
export interface StoredAttachment {
  readonly networkId: string;
  /** As it was when the container was attached, whatever the file says now. */
  readonly list: CniNetworkList;
  readonly attachment: CniAttachment;
  /** Absent until the plugins have succeeded. */
  readonly result?: CniResult;
}

/**
 * Attachments on disk, a file for each. Unlike sandboxes they outlive the machine's run: plugins keep addresses and rules
 * by container, which somebody has to give back after a reboot, too.
 */
export class AttachmentStore {
  readonly #directory: string;
  readonly #logger: Logger;

  constructor(root: string, logger: Logger) {
    this.#directory = join(root, "cni");
    this.#logger = logger;
  }

  async load(): Promise<StoredAttachment[]> {
    const found: StoredAttachment[] = [];
    for (const file of await this.#files()) {
      const path = join(this.#directory, file);
      if (file.endsWith(".tmp")) {
        await rm(path, { force: true });
        continue;
      }
      const stored = await this.#read(path);
      if (stored !== undefined) found.push(stored);
    }
    return found;
  }

  /** Of one container on one network. */
  async find(containerId: string, networkId: string): Promise<StoredAttachment | undefined> {
    return await this.#read(join(this.#directory, fileName(containerId, networkId)));
  }

  async #read(path: string): Promise<StoredAttachment | undefined> {
    try {
      return JSON.parse(await readFile(path, "utf8")) as StoredAttachment;
    } catch (error) {
      if (systemCode(error) === "ENOENT") return undefined;
      this.#logger.error("a record of a CNI attachment cannot be read", { path, error: errorMessage(error) });
      return undefined;
    }
  }

  /** Durable once it resolves. */
  async save(stored: StoredAttachment): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    await writeFileAtomic(this.#path(stored), JSON.stringify(stored));
  }

  /** One that is not there is fine. */
  async remove(stored: StoredAttachment): Promise<void> {
    await rm(this.#path(stored), { force: true });
    await syncDirectory(this.#directory);
  }

  async clear(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #files(): Promise<string[]> {
    try {
      return await readdir(this.#directory);
    } catch (error) {
      if (systemCode(error) === "ENOENT") return [];
      throw error;
    }
  }

  #path({ networkId, attachment }: StoredAttachment): string {
    return join(this.#directory, fileName(attachment.containerId, networkId));
  }
}

function fileName(containerId: string, networkId: string): string {
  return `${containerId}.${networkId.slice(0, 12)}.json`;
}
