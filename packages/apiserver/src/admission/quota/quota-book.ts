import {
  addQuantities,
  deepEqual,
  formatQuantity,
  isObject,
  type Json,
  type JsonObject,
  type Kind,
  type KubeObject,
  listAt,
  parseQuantity,
  type Quantity,
  textAt,
  ZERO,
} from "@boxship/api";
import { KeyedMutex, type Timer } from "@boxship/base";
import { turnsByBytes } from "../../http/take-turns.ts";
import type { ServerContext } from "../../server-context.ts";
import type { CachedObject } from "../../storage/cached-object.ts";
import { objectKey } from "../../storage/object-bytes.ts";
import { allObjects, builtinKind } from "../../storage/read-objects.ts";
import { isInScope, type Usage, usageOf } from "./usage.ts";

/** How long an object may take from its admission until it is kept. */
const PENDING_MS = 5000;
const SETTLE_MS = 50;
const AGAIN_MS = 1000;
const TRIES = 50;

interface Pending {
  readonly quota: string;
  /** Of the object that is about to be kept. */
  readonly key: string;
  readonly usage: Usage;
  readonly until: number;
}

/** By kind. */
type Look = readonly {
  readonly kind: Kind;
  readonly there: readonly CachedObject[];
  readonly charged: readonly Pending[];
}[];

/** Times in a row that a count is begun anew because the quota was charged meanwhile; then it waits. */
const COUNTS = 3;
/** A namespace's counts take at most this part of the time. */
const SHARE = 0.1;
/** Adding up what an object takes costs as much as reading so many bytes of one. */
const ADDED = 64;

/** What objects take, as long as they are in memory. */
const usages = new WeakMap<CachedObject, Usage>();

/** Amounts as a quota writes them. */
export function amountsOf(value: Json | undefined): Map<string, Quantity> {
  const amounts = new Map<string, Quantity>();
  for (const [name, text] of Object.entries(isObject(value) ? value : {})) {
    const quantity = parseQuantity(textAt(text));
    if (quantity !== undefined) amounts.set(name, quantity);
  }
  return amounts;
}

/**
 * Keeps the status of quotas: what is used is charged when an object is let in, and counted again whenever something in
 * the namespace has changed. What is charged and not kept yet stays charged for a moment.
 */
export class QuotaBook implements Disposable {
  readonly #context: ServerContext;
  readonly #dirty = new Set<string>();
  #pending: Pending[] = [];
  /**
   * Who charges a quota, or looks at what it is about, is alone with it: a count would have what is being charged, and the
   * charge, tried again on that count, would have it twice.
   */
  readonly #turns = new KeyedMutex();
  /** Namespaces that are being counted. */
  readonly #counting = new Set<string>();
  /** By namespace, when it may be counted again. */
  readonly #notBefore = new Map<string, number>();
  #timer: { readonly at: number; readonly timer: Timer } | undefined;
  #listening: Disposable | undefined;
  #disposed = false;

  constructor(context: ServerContext) {
    this.#context = context;
  }

  async open(): Promise<void> {
    const all = await this.#quotas();
    for (const { metadata } of all) this.#mark(metadata.namespace ?? "");
    this.#listening = this.#context.objects.onChanged((keys) => void this.#changed(keys));
  }

  /** Those of a namespace. */
  async quotasOf(namespace: string): Promise<readonly KubeObject[]> {
    return (await this.#quotas()).filter(({ metadata }) => metadata.namespace === namespace);
  }

  /**
   * Charges an object to a quota.
   *
   * @param decide of the quota as it is now, what is used after the charge; it throws where that is too much
   */
  async charge(
    name: { readonly namespace: string; readonly name: string },
    key: string,
    usage: Usage,
    decide: (quota: KubeObject) => ReadonlyMap<string, Quantity>,
    dryRun: boolean,
  ): Promise<void> {
    const kind = builtinKind(this.#context, "", "resourcequotas");
    const task = (): Promise<void> => this.#charge(name, { key, usage }, decide, dryRun);
    await this.#turns.run(objectKey(kind, name.namespace, name.name), task);
  }

  async #charge(
    name: { readonly namespace: string; readonly name: string },
    { key, usage }: { readonly key: string; readonly usage: Usage },
    decide: (quota: KubeObject) => ReadonlyMap<string, Quantity>,
    dryRun: boolean,
  ): Promise<void> {
    const kind = builtinKind(this.#context, "", "resourcequotas");
    for (let attempt = 1; attempt <= TRIES; attempt++) {
      const current = await this.#context.objects.get(kind, name.namespace, name.name);
      if (current === undefined) return;
      const quota = current.parse();
      if (!isCounted(quota)) quota["status"] = await this.#add(quota, await this.#look(quota));
      const used = decide(quota);
      if (dryRun) return;
      const until = this.#context.clock.monotonic() + PENDING_MS;
      const pending = { quota: current.key, key, usage, until };
      this.#pending.push(pending);
      quota["status"] = statusOf(quota, used);
      if ((await this.#context.objects.update(kind, quota, current.revision)) !== undefined) return;
      this.#pending = this.#pending.filter((one) => one !== pending);
    }
  }

  async #quotas(): Promise<readonly KubeObject[]> {
    return await allObjects(this.#context, "", "resourcequotas");
  }

  async #changed(keys: readonly string[]): Promise<void> {
    // It is kept now, or has gone again: the count sees that by itself.
    if (this.#pending.length > 0) this.#pending = this.#pending.filter(({ key }) => !keys.includes(key));
    const all = await this.#quotas();
    if (all.length === 0) return;
    const namespaces = new Set(all.map(({ metadata }) => metadata.namespace ?? ""));
    for (const key of keys) {
      const namespace = key.split("/")[4] ?? "";
      if (namespaces.has(namespace)) this.#mark(namespace);
    }
  }

  #mark(namespace: string, later = SETTLE_MS): void {
    this.#dirty.add(namespace);
    const { clock } = this.#context;
    const at = Math.max(clock.monotonic() + later, this.#notBefore.get(namespace) ?? 0);
    if (this.#disposed || (this.#timer !== undefined && this.#timer.at <= at)) return;
    this.#timer?.timer[Symbol.dispose]();
    this.#timer = { at, timer: clock.setTimeout(at - clock.monotonic(), () => this.#recountAll()) };
  }

  #recountAll(): void {
    this.#timer = undefined;
    const now = this.#context.clock.monotonic();
    for (const one of [...this.#dirty]) {
      // It is marked again when it has been counted.
      if (this.#counting.has(one)) continue;
      if ((this.#notBefore.get(one) ?? now) > now) this.#mark(one);
      else void this.#recountNow(one, now);
    }
  }

  async #recountNow(namespace: string, started: number): Promise<void> {
    this.#dirty.delete(namespace);
    this.#counting.add(namespace);
    try {
      await this.#recount(namespace);
    } catch (error) {
      if (this.#disposed) return;
      this.#context.logger.warn(`the quotas of namespace ${namespace} cannot be counted yet`, { error });
      this.#mark(namespace, AGAIN_MS);
    } finally {
      this.#counting.delete(namespace);
      const now = this.#context.clock.monotonic();
      const took = now - started;
      if (took < SETTLE_MS * SHARE) this.#notBefore.delete(namespace);
      else this.#notBefore.set(namespace, now + took / SHARE);
      if (this.#dirty.has(namespace)) this.#mark(namespace);
    }
  }

  async #recount(namespace: string): Promise<void> {
    for (const { metadata } of await this.quotasOf(namespace)) await this.#recountOne(namespace, metadata.name ?? "");
    const now = this.#context.clock.monotonic();
    this.#pending = this.#pending.filter(({ until }) => until > now);
    // What is pending may never be kept: then it is counted once more without it.
    if (this.#pending.length > 0) this.#mark(namespace, PENDING_MS);
  }

  async #recountOne(namespace: string, name: string): Promise<void> {
    const { objects } = this.#context;
    const kind = builtinKind(this.#context, "", "resourcequotas");
    for (let attempt = 1; attempt <= COUNTS; attempt++) {
      const found = await this.#turns.run(objectKey(kind, namespace, name), async () => {
        const current = await objects.get(kind, namespace, name);
        if (current === undefined) return undefined;
        const quota = current.parse();
        return { current, quota, look: await this.#look(quota) };
      });
      if (found === undefined) return;
      const { current, quota, look } = found;
      const status = await this.#add(quota, look);
      if (deepEqual(status, quota["status"])) return;
      quota["status"] = status;
      if ((await objects.update(kind, quota, current.revision)) !== undefined) return;
    }
    this.#mark(namespace);
  }

  /** What a quota is about, and what was charged to it and is not there yet, as it is at one moment. */
  async #look(quota: KubeObject): Promise<Look> {
    const hard = amountsOf((quota["spec"] as JsonObject | undefined)?.["hard"]);
    const namespace = quota.metadata.namespace ?? "";
    const own = objectKey(builtinKind(this.#context, "", "resourcequotas"), namespace, quota.metadata.name);
    const kinds = this.#kindsOf([...hard.keys()]);
    const caches = await Promise.all(kinds.map((kind) => this.#context.objects.freshCache(kind)));
    const now = this.#context.clock.monotonic();
    const waiting = this.#pending.filter((one) => one.quota === own && one.until > now);
    return kinds.flatMap((kind, index) => {
      const cache = caches[index];
      if (cache === undefined) return [];
      const prefix = objectKey(kind, namespace);
      const charged = waiting.filter(({ key }) => key.startsWith(prefix) && cache.get(key) === undefined);
      return [{ kind, there: [...cache.between(prefix, `${prefix}\u{10ffff}`)], charged }];
    });
  }

  /** The status of a quota by what was there. What changes while it is added up is counted again. */
  async #add(quota: KubeObject, look: Look): Promise<JsonObject> {
    const hard = amountsOf((quota["spec"] as JsonObject | undefined)?.["hard"]);
    const used = new Map<string, Quantity>([...hard.keys()].map((name) => [name, ZERO]));
    const turn = turnsByBytes();
    for (const { kind, there, charged } of look) {
      for (const { usage } of charged) addTo(used, usage);
      for (const cached of there) {
        const known = hasScopes(quota) ? undefined : usages.get(cached);
        const turned = turn(known === undefined ? cached.bytes.length : ADDED);
        if (turned !== undefined) await turned;
        addTo(used, known ?? usageIn(quota, kind, cached));
      }
    }
    return statusOf(quota, used);
  }

  #kindsOf(names: readonly string[]): readonly Kind[] {
    const found = new Map<string, Kind>();
    for (const name of names) {
      const [resource, group] = resourceOf(name);
      const kind = this.#context.kinds.findResource(group, resource);
      if (kind?.namespaced === true) found.set(`${group}/${resource}`, kind);
    }
    return [...found.values()];
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#timer?.timer[Symbol.dispose]();
    this.#listening?.[Symbol.dispose]();
  }
}

const NOTHING: Usage = new Map();

function usageIn(quota: KubeObject, kind: Kind, cached: CachedObject): Usage {
  const object = cached.parse();
  if (hasScopes(quota) && !isInScope(quota, kind, object)) return NOTHING;
  const usage = usageOf(kind, object);
  usages.set(cached, usage);
  return usage;
}

const hasScopes = (quota: KubeObject): boolean =>
  listAt(quota, "spec", "scopes").length + listAt(quota, "spec", "scopeSelector", "matchExpressions").length > 0;

function addTo(used: Map<string, Quantity>, usage: Usage): void {
  for (const [name, amount] of usage) {
    const before = used.get(name);
    if (before !== undefined) used.set(name, addQuantities(before, amount));
  }
}

/** Whether its status is of its limits as they are. */
function isCounted(quota: KubeObject): boolean {
  const { spec, status } = quota as KubeObject & { spec?: JsonObject; status?: JsonObject };
  return deepEqual(spec?.["hard"], status?.["hard"]) && status?.["used"] !== undefined;
}

function statusOf(quota: KubeObject, used: ReadonlyMap<string, Quantity>): JsonObject {
  const hard = (quota["spec"] as JsonObject | undefined)?.["hard"] ?? {};
  const names = Object.keys(hard as JsonObject).toSorted();
  return {
    hard,
    used: Object.fromEntries(names.map((name) => [name, formatQuantity(used.get(name) ?? ZERO)])),
  };
}

/** Of which resource a name counts something. */
function resourceOf(name: string): readonly [resource: string, group: string] {
  if (name.startsWith("count/")) {
    const [resource = "", ...group] = name.slice("count/".length).split(".");
    return [resource, group.join(".")];
  }
  if (name.includes("storageclass.storage.k8s.io/") || name === "requests.storage")
    return ["persistentvolumeclaims", ""];
  if (name.startsWith("services.")) return ["services", ""];
  if (
    [
      "configmaps",
      "persistentvolumeclaims",
      "replicationcontrollers",
      "resourcequotas",
      "secrets",
      "services",
    ].includes(name)
  )
    return [name, ""];
  return ["pods", ""];
}
