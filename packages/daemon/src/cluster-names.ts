import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type Logger, systemCode, writeFileIfOther } from "@boxship/base";
import { clusterDirectory } from "@boxship/base/cluster-record";
import { type ClusterDnsSettings, ClusterDnsThread } from "@boxship/dns";
import { type Handler, unary } from "@boxship/grpc";
import type { NetworkManager } from "@boxship/network";
import { NAMES_METHODS, type ServeNamesRequest } from "./cluster/names-service.ts";

export interface ClusterNamesOptions {
  /** Of the instance. */
  readonly root: string;
  readonly network: Pick<NetworkManager, "forwardZones" | "addressesOf">;
  readonly logger: Logger;
}

/** What is asked for, and where it is answered: a port that is kept, as the cluster's services lead to it. */
type Record = ServeNamesRequest & { readonly port?: number };

/** The administrator's kubeconfig as a cluster of ours writes it. */
interface Kubeconfig {
  readonly clusters: readonly [{ readonly cluster: { readonly [field: string]: string } }];
  readonly users: readonly [{ readonly user: { readonly [field: string]: string } }];
}

/**
 * Answers for the names of the instance's cluster, in this process, whether the cluster's own is there or not. What it was asked
 * to do it does again after a restart, until it is told to end.
 */
export class ClusterNames implements AsyncDisposable {
  readonly #options: ClusterNamesOptions;
  readonly #path: string;
  #thread: ClusterDnsThread | undefined;
  /** What the thread works with. */
  #settings: ClusterDnsSettings | undefined;
  /** Calls run one after another. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(options: ClusterNamesOptions) {
    this.#options = options;
    this.#path = join(clusterDirectory(options.root), "names.json");
  }

  /** Goes on in turn, so that nobody waits for it who does not ask for names. */
  static open(options: ClusterNamesOptions): ClusterNames {
    const names = new ClusterNames(options);
    void names.#inTurn(() => names.#resume());
    return names;
  }

  /** What is served beside the CRI. */
  get handlers(): readonly Handler[] {
    return [
      unary(NAMES_METHODS.serve, (request) => this.#inTurn(() => this.#serve(request))),
      unary(NAMES_METHODS.end, () => this.#inTurn(() => this.#end())),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last.catch(() => {});
    await this.#stop();
  }

  #inTurn<Result>(task: () => Promise<Result>): Promise<Result> {
    const next = this.#last.then(task, task);
    this.#last = next;
    return next;
  }

  async #resume(): Promise<void> {
    try {
      const record = await this.#read();
      if (record !== undefined) await this.#start(record);
    } catch (error) {
      // The cluster asks again when it starts.
      this.#options.logger.warn("the cluster's names cannot be answered", { error });
    }
  }

  /** Who has started may have another address and other certificates than before; the port stays. */
  async #serve(request: ServeNamesRequest): Promise<{ readonly port: number }> {
    const before = await this.#read();
    const record = { ...request, ...(before?.port === undefined ? {} : { port: before.port }) };
    const thread = (await this.#renewed(record)) ?? (await this.#start(record));
    await thread.ready;
    return { port: await thread.port };
  }

  async #end(): Promise<object> {
    await rm(this.#path, { force: true });
    await this.#stop();
    return {};
  }

  /** The thread that is there, where all that is new is the certificate: names are answered meanwhile. */
  async #renewed(record: Record): Promise<ClusterDnsThread | undefined> {
    if (this.#thread === undefined || this.#settings === undefined) return undefined;
    const { certificate, key, ...rest } = await settingsOf(record);
    const { certificate: before, key: _, ...kept } = this.#settings;
    if (certificate === before || !isDeepStrictEqual(rest, kept)) return undefined;
    this.#thread.renew({ certificate, key });
    this.#settings = { ...rest, certificate, key };
    return this.#thread;
  }

  async #start(record: Record): Promise<ClusterDnsThread> {
    const { network, logger } = this.#options;
    const settings = await settingsOf(record);
    await this.#stop();
    const thread = new ClusterDnsThread({
      ...settings,
      engineNames: (name) => network.addressesOf(name),
      logger,
    });
    this.#thread = thread;
    const port = await thread.port;
    this.#settings = { ...settings, port };
    await writeFileIfOther(this.#path, `${JSON.stringify({ ...record, port })}\n`, { mode: 0o600 });
    network.forwardZones([{ name: record.zone, server: { address: "127.0.0.1", port } }]);
    return thread;
  }

  async #stop(): Promise<void> {
    this.#options.network.forwardZones([]);
    await this.#thread?.[Symbol.asyncDispose]();
    this.#thread = undefined;
  }

  async #read(): Promise<Record | undefined> {
    try {
      return JSON.parse(await readFile(this.#path, "utf8")) as Record;
    } catch (error) {
      if (systemCode(error) === "ENOENT" || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }
}

/** As the administrator's kubeconfig says it. */
async function settingsOf({ kubeconfig, zone, serviceAddress, port }: Record): Promise<ClusterDnsSettings> {
  const { clusters, users } = JSON.parse(await readFile(kubeconfig, "utf8")) as Kubeconfig;
  const pem = (text = ""): string => Buffer.from(text, "base64").toString();
  const [{ cluster }, { user }] = [clusters[0], users[0]];
  return {
    server: cluster["server"] ?? "",
    authority: pem(cluster["certificate-authority-data"]),
    certificate: pem(user["client-certificate-data"]),
    key: pem(user["client-key-data"]),
    zone,
    serviceAddress,
    ...(port === undefined ? {} : { port }),
  };
}
