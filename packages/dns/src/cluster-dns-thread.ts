import { once } from "node:events";
import type { Worker } from "node:worker_threads";
import { type Logger, Unavailable } from "@boxship/base";
import { startWorker } from "@boxship/base/entry";
import type { ClientIdentity } from "@boxship/client";
import type { ClusterDnsSettings, DnsThreadAnswer, DnsThreadTold } from "./cluster-dns-worker.ts";

export type { ClusterDnsSettings } from "./cluster-dns-worker.ts";

export interface ClusterDnsThreadOptions extends ClusterDnsSettings {
  /** Addresses of a name below `boxship.internal`, without that. @default nobody has any */
  readonly engineNames?: (name: string) => readonly string[] | undefined;
  readonly logger: Logger;
}

/**
 * The name server of a cluster in a thread of its own, for a program that is not the cluster: it answers what it knew last
 * while the cluster is away, and follows it again when it is back.
 */
export class ClusterDnsThread implements AsyncDisposable {
  /** Resolves when the names of the cluster are known; rejects when the thread ends before. */
  readonly ready: Promise<void>;
  /** Resolves to where it listens on the loopback address, by UDP and by TCP. */
  readonly port: Promise<number>;
  readonly #worker: Worker;
  readonly #ended: Promise<unknown>;

  constructor({ engineNames, logger, ...settings }: ClusterDnsThreadOptions) {
    this.#worker = startWorker("cluster-dns", new URL("./cluster-dns-worker.ts", import.meta.url), {
      workerData: settings satisfies ClusterDnsSettings,
    });
    this.#worker.unref();
    const listening = Promise.withResolvers<number>();
    const ready = Promise.withResolvers<void>();
    this.port = listening.promise;
    this.ready = ready.promise;
    for (const promise of [this.port, this.ready]) promise.catch(() => {});
    this.#ended = once(this.#worker, "exit").catch(() => {});
    const fail = (cause: unknown): void => {
      const error = new Unavailable("the cluster's name server has ended", { cause });
      listening.reject(error);
      ready.reject(error);
    };
    this.#worker.on("error", (error) => {
      logger.error("the cluster's name server has failed", { error });
      fail(error);
    });
    this.#worker.on("exit", fail);
    this.#worker.on("message", (message: DnsThreadTold) => {
      if (message.told === "listening") listening.resolve(message.port);
      if (message.told === "ready") ready.resolve();
      if (message.told === "failed") ready.reject(new Unavailable(message.message));
      if (message.told === "question") {
        const answer: DnsThreadAnswer = { id: message.id, addresses: engineNames?.(message.name) };
        this.#worker.postMessage(answer, []);
      }
    });
  }

  /** Goes on with another certificate of the same administrator. */
  renew(identity: ClientIdentity): void {
    this.#worker.postMessage(identity, []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#worker.postMessage("end", []);
    await this.#ended;
  }
}
