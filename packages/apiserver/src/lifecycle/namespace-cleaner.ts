import { type JsonObject, type Kind, statusOf } from "@boxship/api";
import { asBoxshipError, type Timer } from "@boxship/base";
import { SYSTEM_WRITE, systemRequest } from "../bootstrap/system-request.ts";
import { NAMESPACE_CONTROLLER } from "../bootstrap/system-user.ts";
import type { ServerContext } from "../server-context.ts";
import { followResource } from "../storage/follow-resource.ts";
import { objectKey } from "../storage/object-bytes.ts";
import { commitDelete } from "../verbs/delete-object.ts";
import { modifyObject } from "../verbs/modify-object.ts";
import { namespaceConditions, type Remaining } from "./namespace-conditions.ts";

const AGAIN_MS = 1000;

type Counts = { readonly [part in keyof Remaining]: Map<string, number> };

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

/**
 * Empties namespaces that are being deleted, and lets them go when nothing is left in them. It looks at what is there
 * each time: an interrupted cleaning is simply done again.
 */
export class NamespaceCleaner implements Disposable {
  readonly #context: ServerContext;
  readonly #kind: Kind;
  readonly #busy = new Set<string>();
  readonly #timers = new Set<Timer>();
  #following: Disposable | undefined;
  #disposed = false;

  private constructor(context: ServerContext, kind: Kind) {
    this.#context = context;
    this.#kind = kind;
  }

  static async open(context: ServerContext): Promise<NamespaceCleaner> {
    const kind = context.kinds.find("", "v1", "namespaces") as Kind;
    const cleaner = new NamespaceCleaner(context, kind);
    cleaner.#following = await followResource(context, kind, {
      begin(cache) {
        for (const object of cache.between("", "")) cleaner.#look(object.bytes, object.key);
      },
      changed({ object, deleted, key }) {
        if (!deleted) cleaner.#look(object.bytes, key);
      },
    });
    return cleaner;
  }

  #look(bytes: Buffer, key: string): void {
    if (bytes.includes("deletionTimestamp")) void this.#clean(key.slice(objectKey(this.#kind).length));
  }

  async #clean(name: string): Promise<void> {
    if (this.#busy.has(name) || this.#disposed) return;
    this.#busy.add(name);
    let left = true;
    try {
      left = !(await this.#cleanOnce(name));
    } catch (error) {
      if (!this.#disposed) this.#context.logger.warn(`namespace ${name} cannot be emptied yet`, { error });
    }
    this.#busy.delete(name);
    if (left) this.#later(() => void this.#clean(name));
  }

  #later(what: () => void): void {
    if (this.#disposed) return;
    const timer = this.#context.clock.setTimeout(AGAIN_MS, () => {
      this.#timers.delete(timer);
      what();
    });
    this.#timers.add(timer);
  }

  /** @returns whether the namespace is gone, or need not go */
  async #cleanOnce(name: string): Promise<boolean> {
    const { objects, kinds } = this.#context;
    const object = (await objects.get(this.#kind, "", name))?.parse();
    if (object?.metadata.deletionTimestamp === undefined) return true;
    const seen = new Set<string>();
    const remaining = { objects: new Map<string, number>(), finalizers: new Map<string, number>() };
    for (const kind of [...kinds.all()]) {
      const resource = `${kind.group}/${kind.resource}`;
      if (!kind.namespaced || !kind.verbs.has("delete") || seen.has(resource)) continue;
      seen.add(resource);
      // In the version that is kept, where that is served: nobody has to convert what is only to go.
      await this.#empty(kinds.findResource(kind.group, kind.resource) ?? kind, name, remaining);
    }
    if (remaining.objects.size > 0) {
      await this.#tell(name, remaining);
      return false;
    }
    const request = systemRequest(this.#kind, "", name, "finalize");
    await modifyObject(this.#context, request, SYSTEM_WRITE, {
      change: (old) => {
        delete old.metadata.resourceVersion;
        return { ...old, spec: {} };
      },
      track: () => {},
    });
    return true;
  }

  /** Says in the namespace what it waits for. */
  async #tell(name: string, remaining: Remaining): Promise<void> {
    await modifyObject(this.#context, systemRequest(this.#kind, "", name, "status"), SYSTEM_WRITE, {
      change: (old) => {
        delete old.metadata.resourceVersion;
        const status = (old["status"] ?? {}) as JsonObject;
        const conditions = namespaceConditions(status["conditions"], remaining, this.#context.clock.now());
        return { ...old, status: { ...status, conditions } };
      },
      track: () => {},
    });
  }

  /** Counts what is still there. */
  async #empty(kind: Kind, namespace: string, { objects, finalizers }: Counts): Promise<void> {
    const cache = await this.#context.objects.freshCache(kind);
    const prefix = objectKey(kind, namespace);
    for (const cached of [...cache.between(prefix, `${prefix}\u{10ffff}`)]) {
      const name = cached.key.slice(prefix.length);
      try {
        const options = { dryRun: false, preconditions: {}, propagationPolicy: "Background" as const };
        const request = { ...systemRequest(kind, namespace, name), user: NAMESPACE_CONTROLLER };
        const { gone, object } = await commitDelete(this.#context, request, name, options);
        if (gone) continue;
        count(objects, `${kind.resource}.${kind.group}`);
        for (const finalizer of object.parse().metadata.finalizers ?? []) count(finalizers, finalizer);
      } catch (error) {
        if (statusOf(asBoxshipError(error))?.reason !== "NotFound") throw error;
      }
    }
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#following?.[Symbol.dispose]();
    for (const timer of this.#timers) timer[Symbol.dispose]();
  }
}
