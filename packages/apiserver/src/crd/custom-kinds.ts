import {
  customKindsOf,
  deepEqual,
  isStored,
  type JsonObject,
  type Kind,
  type KindRegistry,
  type KubeObject,
  listAt,
  statusOf,
  textAt,
  timestamp,
} from "@boxship/api";
import { asBoxshipError, type Timer } from "@boxship/base";
import { SYSTEM_WRITE, systemRequest } from "../bootstrap/system-request.ts";
import type { ServerContext } from "../server-context.ts";
import type { CachedObject } from "../storage/cached-object.ts";
import type { Change } from "../storage/change.ts";
import type { ChangeListener } from "../storage/resource-cache.ts";
import { commitDelete } from "../verbs/delete-object.ts";
import { modifyObject } from "../verbs/modify-object.ts";

const FINALIZER = "customresourcecleanup.apiextensions.k8s.io";
const AGAIN_MS = 1000;

/** Serves what CustomResourceDefinitions define, as soon as they are there, and empties what they defined when they go. */
export class CustomKinds implements Disposable, ChangeListener {
  readonly #context: ServerContext;
  readonly #registry: KindRegistry;
  readonly #kind: Kind;
  readonly #served = new Map<string, { readonly spec: string; readonly kinds: readonly Kind[] }>();
  readonly #timers = new Set<Timer>();
  #listening: Disposable | undefined;
  #disposed = false;

  private constructor(context: ServerContext, registry: KindRegistry) {
    this.#context = context;
    this.#registry = registry;
    this.#kind = registry.find("apiextensions.k8s.io", "v1", "customresourcedefinitions") as Kind;
  }

  static async open(context: ServerContext, registry: KindRegistry): Promise<CustomKinds> {
    const kinds = new CustomKinds(context, registry);
    await kinds.#start();
    return kinds;
  }

  async #start(): Promise<void> {
    const cache = await this.#context.objects.freshCache(this.#kind);
    this.#listening = cache.listen(this);
    for (const object of cache.between("", "")) this.#serve(object);
  }

  changed({ object, deleted, key }: Change): void {
    if (deleted) this.#forget(key);
    else this.#serve(object);
  }

  ended(): void {
    if (!this.#disposed) this.#later(() => this.#start());
  }

  #forget(key: string): void {
    const gone = this.#served.get(key)?.kinds ?? [];
    this.#served.delete(key);
    this.#registry.remove((kind) => gone.includes(kind));
  }

  #serve(object: CachedObject): void {
    const crd = object.parse();
    const [group, plural] = [textAt(crd, "spec", "group"), textAt(crd, "spec", "names", "plural")];
    // A built-in resource is nobody else's.
    if ([...this.#registry.all()].some((kind) => !kind.custom && kind.group === group && kind.resource === plural))
      return;
    const spec = JSON.stringify(crd["spec"]);
    const known = this.#served.get(object.key);
    // What is said of it in its status changes nothing of what it defines.
    if (known === undefined || known.spec !== spec) {
      this.#forget(object.key);
      const kinds = customKindsOf(crd, "served");
      this.#served.set(object.key, { spec, kinds });
      this.#registry.put(...kinds);
    }
    void this.#settle(crd);
  }

  /** Says in the definition that it is served; or, when it is going, removes what was made of it. */
  async #settle(crd: KubeObject): Promise<void> {
    try {
      if (crd.metadata.deletionTimestamp === undefined) await this.#establish(crd);
      else if (!(await this.#clean(crd))) this.#later(() => this.#settle(crd));
    } catch (error) {
      if (statusOf(asBoxshipError(error))?.reason === "NotFound" || this.#disposed) return;
      this.#context.logger.warn(`custom resource definition ${crd.metadata.name} cannot be settled yet`, { error });
      this.#later(() => this.#settle(crd));
    }
  }

  async #establish(crd: KubeObject): Promise<void> {
    const now = timestamp(this.#context.clock.now());
    const name = crd.metadata.name ?? "";
    if (deepEqual(establishedStatus(crd, now), crd["status"]) && crd.metadata.finalizers?.includes(FINALIZER)) return;
    const { metadata } = crd;
    if (metadata.finalizers?.includes(FINALIZER) !== true) {
      await this.#modify(name, "", (old) => {
        old.metadata.finalizers = [...new Set([...(old.metadata.finalizers ?? []), FINALIZER])];
      });
    }
    await this.#modify(name, "status", (old) => {
      old["status"] = establishedStatus(old, now);
    });
  }

  /** @returns whether nothing is left */
  async #clean(crd: KubeObject): Promise<boolean> {
    const { metadata } = crd;
    // In the version that is kept, served or not: nobody has to convert what is only to go.
    const kind = customKindsOf(crd, "all").find(isStored);
    if (kind !== undefined && (await this.#empty(kind)) > 0) return false;
    await this.#modify(metadata.name ?? "", "", (old) => {
      old.metadata.finalizers = (old.metadata.finalizers ?? []).filter((one) => one !== FINALIZER);
    });
    return true;
  }

  async #empty(kind: Kind): Promise<number> {
    const cache = await this.#context.objects.freshCache(kind);
    let left = 0;
    for (const cached of [...cache.between("", "")]) {
      const { name = "", namespace = "" } = cached.parse().metadata;
      const request = systemRequest(kind, namespace, name);
      const { gone } = await commitDelete(this.#context, request, name, { dryRun: false, preconditions: {} });
      if (!gone) left++;
    }
    return left;
  }

  async #modify(name: string, subresource: string, change: (object: KubeObject) => void): Promise<void> {
    await modifyObject(this.#context, systemRequest(this.#kind, "", name, subresource), SYSTEM_WRITE, {
      change(old) {
        delete old.metadata.resourceVersion;
        change(old);
        return old;
      },
      track: () => {},
    });
  }

  #later(what: () => Promise<void>): void {
    if (this.#disposed) return;
    const timer = this.#context.clock.setTimeout(AGAIN_MS, () => {
      this.#timers.delete(timer);
      void what();
    });
    this.#timers.add(timer);
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#listening?.[Symbol.dispose]();
    for (const timer of this.#timers) timer[Symbol.dispose]();
  }
}

function establishedStatus(crd: KubeObject, now: string): JsonObject {
  const conditions = [
    condition(crd, "NamesAccepted", "NoConflicts", "no conflicts found", now),
    condition(crd, "Established", "InitialNamesAccepted", "the initial names have been accepted", now),
  ];
  const stored = listAt(crd, "spec", "versions").find((one) => (one as JsonObject)["storage"] === true);
  const before = listAt(crd, "status", "storedVersions").map((one) => textAt(one));
  return {
    acceptedNames: (crd["spec"] as JsonObject)["names"] ?? {},
    conditions,
    storedVersions: [...new Set([...before, textAt(stored, "name")])].filter((one) => one !== ""),
  };
}

function condition(crd: KubeObject, type: string, reason: string, message: string, now: string): JsonObject {
  const before = listAt(crd, "status", "conditions").find((one) => textAt(one, "type") === type);
  const lastTransitionTime = textAt(before, "lastTransitionTime") || now;
  return { lastTransitionTime, message, reason, status: "True", type };
}
