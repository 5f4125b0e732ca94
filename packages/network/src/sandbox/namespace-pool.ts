import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "@boxship/base";
import { bindMount, createOwnedNamespace, descriptorPath, isMountPoint, setPropagation } from "@boxship/kernel";
import type { NetworkThread } from "../worker/network-thread.ts";

export interface NamespacePoolOptions {
  readonly runDir: string;
  readonly thread: NetworkThread;
  readonly logger: Logger;
  /** How many are kept ready. */
  readonly size: number;
}

/** Network namespaces that are ready for use, made ahead when there is nothing else to do. */
export class NamespacePool {
  readonly directory: string;
  readonly #options: NamespacePoolOptions;
  readonly #ready: string[] = [];
  #filling: Promise<void> | undefined;
  #closed = false;

  constructor(options: NamespacePoolOptions) {
    this.#options = options;
    this.directory = join(options.runDir, "netns");
  }

  /**
   * Prepares the directory: a shared mount of its own, so that mount namespaces which were made from this one see what is
   * mounted, and let go of what is unmounted.
   */
  open(): void {
    mkdirSync(this.directory, { recursive: true, mode: 0o755 });
    if (!isMountPoint(this.directory)) bindMount({ source: this.directory, target: this.directory });
    setPropagation(this.directory, "shared");
  }

  /** Every namespace file there is, of the pool and of sandboxes. */
  listFiles(): string[] {
    return readdirSync(this.directory).map((name) => join(this.directory, name));
  }

  /**
   * A namespace of the caller's own.
   *
   * @param userNamespace path of the one that it shall belong to; those are not made ahead. @default this process's
   */
  async take(userNamespace?: string): Promise<string> {
    if (userNamespace !== undefined) return this.#makeOwned(userNamespace);
    const ready = this.#ready.shift();
    this.fill();
    if (ready !== undefined) return ready;
    const [made] = await this.#options.thread.call("prepareNamespaces", { directory: this.directory, count: 1 });
    return made as string;
  }

  async #makeOwned(userNamespace: string): Promise<string> {
    using namespace = await createOwnedNamespace("net", userNamespace);
    return await this.#options.thread.call("adoptNamespace", {
      directory: this.directory,
      namespace: descriptorPath(namespace),
    });
  }

  /** Makes what is missing, in the background. */
  fill(): void {
    if (this.#closed || this.#filling !== undefined || this.#ready.length >= this.#options.size) return;
    this.#filling = this.#fillOne();
  }

  /** Removes what nobody took. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#filling;
    const { thread } = this.#options;
    await Promise.all(this.#ready.splice(0).map((path) => thread.call("releaseNamespace", path)));
  }

  async #fillOne(): Promise<void> {
    try {
      // One at a time, so that nobody who is in a hurry waits for more than one.
      const argument = { directory: this.directory, count: 1 };
      this.#ready.push(...(await this.#options.thread.call("prepareNamespaces", argument, "background")));
      this.#filling = undefined;
      this.fill();
    } catch (error) {
      this.#filling = undefined;
      this.#options.logger.warn("cannot make network namespaces ahead", { error });
    }
  }
}
