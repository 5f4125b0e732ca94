import { createHash } from "node:crypto";
import { watch } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { isObject, type JsonObject, type KubeObject } from "@boxship/api";
import { loadYaml } from "@boxship/api/yaml";
import { asBoxshipError, type Clock, type Logger, NotFound, sleep } from "@boxship/base";
import type { ApiClient } from "@boxship/client";
import { PODS } from "../agent/node-context.ts";
import type { Pod } from "../types.ts";

export interface StaticPodsOptions {
  readonly client: Pick<ApiClient, "create" | "delete">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of manifests, a pod in each. */
  readonly directory: string;
  /** Who has them. */
  readonly node: KubeObject;
  /** Pods of the node. */
  readonly pods: () => Iterable<Pod>;
  /** Whether the machine is about to go down. */
  readonly isGoing: () => boolean;
}

const EVERY_MS = 20_000;
/** Whoever writes a file writes it in parts. */
const SETTLE_MS = 100;

const HASH = "kubernetes.io/config.hash";
const MIRROR = "kubernetes.io/config.mirror";
const SOURCE = "kubernetes.io/config.source";

const SHUTDOWN_REASONS = ["Terminated", "NodeShutdown"];

/**
 * Pods that are there because a file of the node says so: made in the API as this node's own, past the scheduler, and again when somebody
 * deletes them; another content of the file is another pod, and without the file it goes.
 */
export class StaticPods {
  readonly #options: StaticPodsOptions;
  #wake = Promise.withResolvers<void>();

  constructor(options: StaticPodsOptions) {
    this.#options = options;
  }

  /** Something has happened to a pod of the node. */
  changed({ metadata: { annotations = {} } }: Pod): void {
    if (annotations[SOURCE] === "file") this.#wake.resolve();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, directory, logger } = this.#options;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const watcher = watch(directory, () => this.#wake.resolve());
    watcher.on("error", (error) => logger.warn("the directory of static pods is not watched", { error }));
    try {
      while (!signal.aborted) {
        await this.#look().catch((error: unknown) => logger.warn("static pods are looked at again later", { error }));
        await Promise.race([this.#wake.promise, sleep(clock, EVERY_MS, signal).catch(() => {})]);
        this.#wake = Promise.withResolvers();
        await sleep(clock, SETTLE_MS, signal).catch(() => {});
      }
    } finally {
      watcher.close();
    }
  }

  async #look(): Promise<void> {
    const { client, pods, logger, isGoing } = this.#options;
    const wanted = await this.#read();
    const there = new Set<string>();
    for (const { metadata, status } of pods()) {
      const { name = "", namespace = "", uid = "", annotations = {}, deletionTimestamp } = metadata;
      if (annotations[SOURCE] !== "file") continue;
      const key = `${namespace}/${name}`;
      there.add(key);
      const same = wanted.get(key)?.metadata.annotations?.[HASH] === annotations[HASH];
      // What ended with the machine begins with it.
      const again = !isGoing() && status?.phase === "Failed" && SHUTDOWN_REASONS.includes(status.reason ?? "");
      if ((same && !again) || deletionTimestamp !== undefined) continue;
      await client.delete({ ...PODS, namespace, name }, { preconditions: { uid } }).catch((error: unknown) => {
        if (!(error instanceof NotFound)) throw error;
      });
    }
    for (const [key, pod] of wanted) {
      if (there.has(key)) continue;
      const { namespace = "" } = pod.metadata;
      try {
        await client.create({ ...PODS, namespace }, pod);
      } catch (error) {
        logger.warn("a static pod is refused", { pod: key, error: asBoxshipError(error).message });
      }
    }
  }

  /** By namespace and name. A file that is none is told of, and left alone. */
  async #read(): Promise<ReadonlyMap<string, Pod>> {
    const { directory, logger } = this.#options;
    const found = new Map<string, Pod>();
    for (const name of (await readdir(directory)).sort()) {
      if (name.startsWith(".") || !/\.(ya?ml|json)$/.test(name)) continue;
      const path = join(directory, name);
      try {
        const pod = this.#podOf(await readFile(path, "utf8"));
        found.set(`${pod.metadata.namespace}/${pod.metadata.name}`, pod);
      } catch (error) {
        logger.warn("a file of the static pods is no pod", { path, error: asBoxshipError(error).message });
      }
    }
    return found;
  }

  #podOf(text: string): Pod {
    const read = loadYaml(text) as JsonObject;
    if (
      !isObject(read) ||
      read["kind"] !== "Pod" ||
      !isObject(read["metadata"] ?? null) ||
      !isObject(read["spec"] ?? null)
    ) {
      throw new TypeError("it is not the manifest of a pod");
    }
    const { metadata, spec } = read as unknown as Pod;
    const { node } = this.#options;
    const { name: nodeName = "", uid = "" } = node.metadata;
    const hash = createHash("sha256").update(text).digest("hex").slice(0, 32);
    const { name = "", namespace = "default", labels, annotations } = metadata;
    return {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: `${name}-${nodeName}`,
        namespace,
        ...(labels === undefined ? {} : { labels }),
        annotations: { ...annotations, [HASH]: hash, [MIRROR]: hash, [SOURCE]: "file" },
        ownerReferences: [{ apiVersion: "v1", kind: "Node", name: nodeName, uid, controller: true }],
      },
      spec: { ...spec, nodeName, tolerations: [{ operator: "Exists", effect: "NoExecute" }] },
    };
  }
}
