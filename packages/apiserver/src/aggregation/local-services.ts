import { apiVersionOf, deepEqual, type JsonObject, type KubeObject } from "@boxship/api";
import { errorMessage, type Timer } from "@boxship/base";
import { ensureObjects } from "../bootstrap/ensure-objects.ts";
import { SYSTEM_WRITE, systemRequest } from "../bootstrap/system-request.ts";
import type { ServerContext } from "../server-context.ts";
import { followResource } from "../storage/follow-resource.ts";
import { builtinKind } from "../storage/read-objects.ts";
import { commitDelete } from "../verbs/delete-object.ts";
import { modifyObject } from "../verbs/modify-object.ts";

/** How an object is kept in step: `onstart` once, when the server starts, or `true`: always. */
const MANAGED = "kube-aggregator.kubernetes.io/automanaged";
const GROUP = "apiregistration.k8s.io";
const AGAIN_MS = 1000;

/** Upstream's order of its groups; the newest version of each has the second number. */
const PRIORITIES: Readonly<Record<string, readonly [group: number, version: number]>> = {
  "": [18000, 1],
  "admissionregistration.k8s.io": [16700, 15],
  "apiextensions.k8s.io": [16700, 15],
  apps: [17800, 15],
  "authentication.k8s.io": [17700, 15],
  "authorization.k8s.io": [17600, 15],
  autoscaling: [17500, 30],
  batch: [17400, 15],
  "certificates.k8s.io": [17300, 15],
  "coordination.k8s.io": [16500, 15],
  "discovery.k8s.io": [16200, 15],
  "events.k8s.io": [17750, 15],
  "flowcontrol.apiserver.k8s.io": [16100, 21],
  "networking.k8s.io": [17200, 15],
  "node.k8s.io": [16300, 15],
  policy: [17100, 15],
  "rbac.authorization.k8s.io": [17000, 15],
  "resource.k8s.io": [16200, 20],
  "scheduling.k8s.io": [16600, 15],
  "storage.k8s.io": [16800, 15],
};
/** An older version beside a newer one. */
const OLDER: Readonly<Record<string, number>> = { "autoscaling/v1": 15 };

function serviceOf(group: string, version: string, managed: "onstart" | "true"): KubeObject {
  const apiVersion = apiVersionOf({ group, version });
  const [groupPriorityMinimum, newest] = PRIORITIES[group] ?? [1000, 100];
  return {
    apiVersion: `${GROUP}/v1`,
    kind: "APIService",
    metadata: { name: `${version}.${group}`, labels: { [MANAGED]: managed } },
    spec: {
      ...(group === "" ? {} : { group }),
      groupPriorityMinimum,
      version,
      versionPriority: OLDER[apiVersion] ?? newest,
    },
  };
}

/**
 * APIServices of what is served here: of the built-in versions as they are at each start, and of custom resources' as long
 * as those are served.
 */
export class LocalServices implements Disposable {
  readonly #context: ServerContext;
  #following: Disposable | undefined;
  #waiting: Timer | undefined;
  #isRunning = false;
  /** Something has changed while it was running. */
  #isStale = false;
  #disposed = false;

  private constructor(context: ServerContext) {
    this.#context = context;
  }

  static async open(context: ServerContext): Promise<LocalServices> {
    const services = new LocalServices(context);
    await services.#ensureBuiltin();
    services.#following = await followResource(context, services.#kind(), {
      begin: () => services.kindsChanged(),
      // Somebody who changes what is kept in step finds it as it was.
      changed({ deleted, object }) {
        if (deleted && object.parse().metadata.labels?.[MANAGED] === "true") services.kindsChanged();
      },
    });
    return services;
  }

  #cache() {
    return this.#context.objects.freshCache(this.#kind());
  }

  #kind() {
    return builtinKind(this.#context, GROUP, "apiservices");
  }

  async #ensureBuiltin(): Promise<void> {
    const versions = [...this.#context.kinds.all()].filter(({ custom, group }) => !custom && group !== GROUP);
    const wanted = new Map(
      versions
        .map(({ group, version }) => serviceOf(group, version, "onstart"))
        .map((one) => [one.metadata.name ?? "", one]),
    );
    await ensureObjects(this.#context, [...wanted.values()]);
    for (const object of (await this.#cache()).between("", "")) {
      const found = object.parse();
      const spec = wanted.get(found.metadata.name ?? "")?.["spec"] as JsonObject | undefined;
      if (spec === undefined || found.metadata.labels?.[MANAGED] !== "onstart" || deepEqual(found["spec"], spec))
        continue;
      await modifyObject(this.#context, systemRequest(this.#kind(), "", found.metadata.name ?? ""), SYSTEM_WRITE, {
        change(old) {
          delete old.metadata.resourceVersion;
          return { ...old, spec };
        },
        track: () => {},
      });
    }
  }

  /** Other versions of custom resources are served than before. */
  kindsChanged(): void {
    if (!this.#disposed && !this.#isRunning) this.#later(() => this.#sync(), 0);
    else this.#isStale = true;
  }

  async #sync(): Promise<void> {
    this.#isRunning = true;
    try {
      do {
        this.#isStale = false;
        await this.#syncOnce();
      } while (this.#isStale && !this.#disposed);
    } finally {
      this.#isRunning = false;
    }
  }

  async #syncOnce(): Promise<void> {
    const custom = [...this.#context.kinds.all()].filter((kind) => kind.custom);
    const wanted = new Map(
      custom
        .map(({ group, version }) => serviceOf(group, version, "true"))
        .map((one) => [one.metadata.name ?? "", one]),
    );
    const there = new Set<string>();
    for (const object of [...(await this.#cache()).between("", "")]) {
      const { name = "", labels } = object.parse().metadata;
      there.add(name);
      if (wanted.has(name) || labels?.[MANAGED] !== "true") continue;
      await commitDelete(this.#context, systemRequest(this.#kind(), "", name), name, {
        dryRun: false,
        preconditions: {},
      });
    }
    await ensureObjects(
      this.#context,
      [...wanted].filter(([name]) => !there.has(name)).map(([, object]) => object),
    );
  }

  #later(what: () => Promise<void>, milliseconds = AGAIN_MS): void {
    this.#waiting?.[Symbol.dispose]();
    this.#waiting = this.#context.clock.setTimeout(milliseconds, () => {
      what().catch((error: unknown) => {
        if (this.#disposed) return;
        this.#context.logger.warn(`APIServices of custom resources are not in step: ${errorMessage(error)}`);
        this.#later(what);
      });
    });
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#following?.[Symbol.dispose]();
    this.#waiting?.[Symbol.dispose]();
  }
}
