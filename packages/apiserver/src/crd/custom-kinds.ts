import {
  customKindsInTurns,
  deepEqual,
  hasReadableBundle,
  isObject,
  isStored,
  type JsonObject,
  type Kind,
  type KindRegistry,
  type KubeObject,
  listAt,
  statusOf,
  textAt,
  timestamp,
  valueAt,
} from "@boxship/api";
import { asBoxshipError, inTurns, type Timer, type Turns } from "@boxship/base";
import { SYSTEM_WRITE, systemRequest } from "../bootstrap/system-request.ts";
import type { ServerContext } from "../server-context.ts";
import type { CachedObject } from "../storage/cached-object.ts";
import type { Change } from "../storage/change.ts";
import { followResource } from "../storage/follow-resource.ts";
import type { ResourceCache } from "../storage/resource-cache.ts";
import { commitDelete } from "../verbs/delete-object.ts";
import { modifyObject } from "../verbs/modify-object.ts";
import { type AcceptedNames, acceptNames } from "./accept-names.ts";

const FINALIZER = "customresourcecleanup.apiextensions.k8s.io";
const AGAIN_MS = 1000;
/** Bytes of a definition, to be parsed in a turn of its own. */
const LARGE = 128 * 1024;

/** A definition as it is served now. */
interface Served {
  readonly object: CachedObject;
  readonly group: string;
  /** What it was made from. */
  readonly made: string;
  readonly accepted: AcceptedNames;
  readonly kinds: readonly Kind[];
}

/** Serves what CustomResourceDefinitions define, as soon as they are there, and empties what they defined when they go. */
export class CustomKinds implements Disposable {
  readonly #context: ServerContext;
  readonly #registry: KindRegistry;
  readonly #kind: Kind;
  readonly #served = new Map<string, Served>();
  readonly #changed: () => void;
  readonly #timers = new Set<Timer>();
  #following: Disposable | undefined;
  /** A large definition that is taken in turns; what comes after it waits. */
  #taking: Promise<void> | undefined;
  #disposed = false;

  private constructor(context: ServerContext, registry: KindRegistry, changed: () => void) {
    this.#context = context;
    this.#registry = registry;
    this.#changed = changed;
    this.#kind = registry.find("apiextensions.k8s.io", "v1", "customresourcedefinitions") as Kind;
  }

  /** @param changed is told when there are other kinds than before */
  static async open(context: ServerContext, registry: KindRegistry, changed: () => void): Promise<CustomKinds> {
    const kinds = new CustomKinds(context, registry, changed);
    kinds.#following = await followResource(context, kinds.#kind, {
      begin: (cache) => kinds.#inOrder(() => kinds.#serveAll(cache)),
      changed: (change) => kinds.#inOrder(() => kinds.#take(change)),
    });
    await kinds.#taking;
    return kinds;
  }

  /** At once, where that takes one turn and nothing else is taken. */
  #inOrder(work: () => Turns<void>): void {
    const begin = async (): Promise<void> => {
      try {
        if (!this.#disposed) await inTurns(work());
      } catch (error) {
        this.#context.logger.error("a custom resource definition cannot be served", { error });
      }
    };
    if (this.#taking === undefined) {
      const working = inTurns(work());
      if (working === undefined) return;
      this.#taking = working.catch((error: unknown) =>
        this.#context.logger.error("a custom resource definition cannot be served", { error }),
      );
    } else this.#taking = this.#taking.then(begin);
    const last = this.#taking;
    void last.then(() => {
      if (this.#taking === last) this.#taking = undefined;
    });
  }

  *#serveAll(cache: ResourceCache): Turns<void> {
    // Those that have their names first: no other may take them because it comes earlier.
    const all = [...cache.between("", "")].map((object) => ({ object, isOwner: isEstablished(object.parse()) }));
    for (const { object } of all.toSorted((a, b) => Number(b.isOwner) - Number(a.isOwner))) yield* this.#serve(object);
  }

  *#take({ object, deleted, key }: Change): Turns<void> {
    if (!deleted) return yield* this.#serve(object);
    const group = this.#served.get(key)?.group;
    this.#forget(key);
    if (group !== undefined) yield* this.#reconsider(group, key);
    this.#changed();
  }

  #forget(key: string): void {
    const gone = this.#served.get(key)?.kinds ?? [];
    this.#served.delete(key);
    this.#registry.remove((kind) => gone.includes(kind));
  }

  *#serve(object: CachedObject): Turns<void> {
    const crd = object.parse();
    if (object.bytes.length > LARGE) yield undefined;
    const [group, plural] = [textAt(crd, "spec", "group"), textAt(crd, "spec", "names", "plural")];
    // A built-in resource is nobody else's.
    if ([...this.#registry.all()].some((kind) => !kind.custom && kind.group === group && kind.resource === plural))
      return;
    const known = this.#served.get(object.key);
    const accepted = this.#accept(object.key, crd, known);
    const isServed = mayBeServed(crd, accepted);
    // What is said of it in its status otherwise changes nothing of what it defines.
    const made = JSON.stringify([crd["spec"], accepted, isServed]);
    const same = known?.made === made;
    const kinds = same
      ? known.kinds
      : isServed
        ? yield* customKindsInTurns(renamed(crd, accepted.names), "served")
        : [];
    if (!same) {
      this.#forget(object.key);
      this.#registry.put(...kinds);
    }
    this.#served.set(object.key, { object, group, made, accepted, kinds });
    if (!same) {
      yield* this.#reconsider(group, object.key);
      this.#changed();
    }
    void this.#settle(object.key, crd);
  }

  #accept(key: string, crd: KubeObject, known: Served | undefined): AcceptedNames {
    const group = textAt(crd, "spec", "group");
    const others = [...this.#served].filter(([other, one]) => other !== key && one.group === group);
    const own = known?.accepted.names ?? valueAt(crd, "status", "acceptedNames");
    return acceptNames(
      crd,
      isObject(own) ? own : {},
      others.map(([, one]) => one.accepted.names),
    );
  }

  /** A name that became free may be what another definition of the group waits for. */
  *#reconsider(group: string, except: string): Turns<void> {
    for (const [key, one] of [...this.#served]) {
      if (key !== except && one.group === group && one.accepted.conflict !== undefined) yield* this.#serve(one.object);
    }
  }

  /** Says in the definition that it is served; or, when it is going, removes what was made of it. */
  async #settle(key: string, crd: KubeObject): Promise<void> {
    try {
      if (crd.metadata.deletionTimestamp === undefined) await this.#establish(key, crd);
      else if (!(await this.#clean(crd))) this.#later(() => this.#settle(key, crd));
    } catch (error) {
      if (statusOf(asBoxshipError(error))?.reason === "NotFound" || this.#disposed) return;
      this.#context.logger.warn(`custom resource definition ${crd.metadata.name} cannot be settled yet`, { error });
      this.#later(() => this.#settle(key, crd));
    }
  }

  async #establish(key: string, crd: KubeObject): Promise<void> {
    const now = timestamp(this.#context.clock.now());
    const name = crd.metadata.name ?? "";
    const accepted = (): AcceptedNames => this.#served.get(key)?.accepted ?? { names: {} };
    if (
      deepEqual(establishedStatus(crd, accepted(), now), crd["status"]) &&
      crd.metadata.finalizers?.includes(FINALIZER)
    )
      return;
    const { metadata } = crd;
    if (metadata.finalizers?.includes(FINALIZER) !== true) {
      await this.#modify(name, "", (old) => {
        old.metadata.finalizers = [...new Set([...(old.metadata.finalizers ?? []), FINALIZER])];
      });
    }
    await this.#modify(name, "status", (old) => {
      old["status"] = establishedStatus(old, accepted(), now);
    });
  }

  /** @returns whether nothing is left */
  async #clean(crd: KubeObject): Promise<boolean> {
    const { metadata } = crd;
    // In the version that is kept, served or not: nobody has to convert what is only to go.
    const kind = (await inTurns(customKindsInTurns(crd, "all"))).find(isStored);
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
    this.#following?.[Symbol.dispose]();
    for (const timer of this.#timers) timer[Symbol.dispose]();
  }
}

const renamed = (crd: KubeObject, names: JsonObject): KubeObject => ({
  ...crd,
  spec: { ...(crd["spec"] as JsonObject), names },
});

const conditionOf = (crd: KubeObject, type: string) =>
  listAt(crd, "status", "conditions").find((one) => textAt(one, "type") === type);

const isEstablished = (crd: KubeObject): boolean => textAt(conditionOf(crd, "Established"), "status") === "True";

/** What is served stays so. */
const mayBeServed = (crd: KubeObject, { conflict }: Pick<AcceptedNames, "conflict">): boolean =>
  isEstablished(crd) || (conflict === undefined && hasReadableBundle(crd));

function establishedStatus(crd: KubeObject, { names, conflict }: AcceptedNames, now: string): JsonObject {
  const isServed = mayBeServed(crd, conflict === undefined ? {} : { conflict });
  const why = conflict === undefined ? INVALID_BUNDLE : NOT_ACCEPTED;
  const conditions = [
    condition(crd, "NamesAccepted", conflict ?? { reason: "NoConflicts", message: "no conflicts found" }, {
      holds: conflict === undefined,
      now,
    }),
    condition(crd, "Established", isServed ? INITIAL : why, { holds: isServed, now }),
  ];
  const stored = listAt(crd, "spec", "versions").find((one) => (one as JsonObject)["storage"] === true);
  const before = listAt(crd, "status", "storedVersions").map((one) => textAt(one));
  return {
    acceptedNames: names,
    conditions,
    storedVersions: [...new Set([...before, textAt(stored, "name")])].filter((one) => one !== ""),
  };
}

const INITIAL = { reason: "InitialNamesAccepted", message: "the initial names have been accepted" };
const INVALID_BUNDLE = { reason: "InvalidCABundle", message: "The conversion webhook CABundle is invalid" };
const NOT_ACCEPTED = { reason: "NotAccepted", message: "not all names are accepted" };

function condition(
  crd: KubeObject,
  type: string,
  { reason, message }: { readonly reason: string; readonly message: string },
  { holds, now }: { readonly holds: boolean; readonly now: string },
): JsonObject {
  const before = conditionOf(crd, type);
  const status = holds ? "True" : "False";
  const since = textAt(before, "status") === status ? textAt(before, "lastTransitionTime") : "";
  return { lastTransitionTime: since || now, message, reason, status, type };
}
