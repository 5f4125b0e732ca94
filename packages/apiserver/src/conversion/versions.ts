import {
  apiVersionOf,
  applyDefaults,
  type Conversion,
  type ConversionWebhook,
  decode,
  isStored,
  type Kind,
  type KubeObject,
} from "@boxship/api";
import { nextTurn } from "@boxship/base";
import { turnsByBytes } from "../http/take-turns.ts";
import { CachedObject } from "../storage/cached-object.ts";
import type { Change } from "../storage/change.ts";
import { encodeObject, withRevision } from "../storage/object-bytes.ts";

/** Asks whoever converts a custom kind. */
export type Ask = (
  kind: Kind,
  webhook: ConversionWebhook,
  objects: readonly KubeObject[],
  apiVersion: string,
) => Promise<readonly KubeObject[]>;

interface Known {
  readonly kind: Kind;
  readonly object: CachedObject | Promise<CachedObject>;
}

/** Bytes of an object that is made in steps, and of objects that are made in one turn of the event loop. */
const LARGE = 128 * 1024;
/** Bytes of objects that a webhook is asked about at once. */
const ASKED_AT_ONCE = 2 ** 20;

/**
 * Objects in the version that is asked for. What lies in the store was written in some version, by the schema of its
 * time: of custom kinds, what that version's schema has defaults for is filled in, and what the schema of the version
 * that is asked for does not know is left out. Each object is made once for each version, as long as it is in memory.
 */
export class Versions {
  readonly #ask: Ask;
  readonly #known = new WeakMap<CachedObject, Map<string, Known>>();
  readonly #changes = new WeakMap<Change, Map<Kind, Change>>();

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** At once where nothing has to be waited for. @throws what the conversion webhook fails with */
  present(kind: Kind, objects: readonly CachedObject[]): readonly CachedObject[] | Promise<readonly CachedObject[]> {
    const { conversion } = kind;
    if (conversion === undefined) return objects;
    const missing = objects.filter((object) => this.#find(kind, object) === undefined);
    const size = missing.reduce((sum, { bytes }) => sum + bytes.length, 0);
    if (size > LARGE || missing.some((object) => needsWebhook(kind, conversion, object.apiVersion)))
      return this.#presentLater(kind, conversion, objects, missing);
    for (const object of missing) this.#remember(kind, object, this.#made(kind, conversion, object));
    const found = objects.map((object) => this.#find(kind, object) as Known["object"]);
    return found.some((one) => one instanceof Promise)
      ? Promise.all(found.map(async (one) => await one))
      : (found as CachedObject[]);
  }

  /** At once where nothing has to be waited for. @throws what the conversion webhook fails with */
  presentOne(kind: Kind, object: CachedObject): CachedObject | Promise<CachedObject> {
    if (kind.conversion === undefined) return object;
    const presented = this.present(kind, [object]);
    return presented instanceof Promise ? presented.then(([one = object]) => one) : (presented[0] ?? object);
  }

  /** A change as watches of a version see it: the same for all of them. */
  async presentChange(kind: Kind, change: Change): Promise<Change> {
    const known = this.#changes.get(change)?.get(kind);
    if (known !== undefined) return known;
    const { object, previous } = change;
    const [now, before] = await this.present(kind, previous === undefined ? [object] : [object, previous]);
    const presented = { ...change, object: now ?? object, ...(before === undefined ? {} : { previous: before }) };
    const kinds = this.#changes.get(change) ?? new Map<Kind, Change>();
    this.#changes.set(change, kinds.set(kind, presented));
    return presented;
  }

  /** An object as it is to be kept: in the version that is stored. */
  async toStored(kind: Kind, object: KubeObject): Promise<KubeObject> {
    const { conversion, storageGroup: group, storageVersion: version } = kind;
    if (conversion === undefined || isStored(kind)) return object;
    const stored = await this.convert(kind, object, apiVersionOf({ group, version }));
    return kind.custom ? prune(conversion, stored) : stored;
  }

  /** An object of any version of a kind in another one. */
  async convert(kind: Kind, object: KubeObject, apiVersion: string): Promise<KubeObject> {
    const { conversion } = kind;
    if (conversion === undefined || object.apiVersion === apiVersion) return object;
    if (conversion.convert !== undefined) return conversion.convert(object, apiVersion);
    if (conversion.webhook === undefined) return object;
    const [converted = object] = await this.#ask(kind, conversion.webhook, [object], apiVersion);
    return converted;
  }

  /** Whether an object lies in the store in another version than it would be kept in now. */
  isOutdated({ storageGroup: group, storageVersion: version }: Kind, object: CachedObject): boolean {
    return object.keptAs !== apiVersionOf({ group, version });
  }

  #find(kind: Kind, object: CachedObject): Known["object"] | undefined {
    const wanted = apiVersionOf(kind);
    if (!kind.custom && object.apiVersion === wanted) return object;
    const known = this.#known.get(object)?.get(wanted);
    return known?.kind === kind ? known.object : undefined;
  }

  #remember(kind: Kind, object: CachedObject, presented: Known["object"]): void {
    const known = this.#known.get(object) ?? new Map<string, Known>();
    this.#known.set(object, known.set(apiVersionOf(kind), { kind, object: presented }));
    if (presented instanceof CachedObject && presented !== object)
      this.#known.set(presented, new Map([[apiVersionOf(kind), { kind, object: presented }]]));
  }

  #forget(kind: Kind, object: CachedObject): void {
    this.#known.get(object)?.delete(apiVersionOf(kind));
  }

  #made(kind: Kind, conversion: Conversion, object: CachedObject): CachedObject {
    const stored = defaulted(kind, conversion, object);
    return shownAs(kind, conversion, object, conversion.convert?.(stored, apiVersionOf(kind)) ?? stored);
  }

  /** The same in steps, between which others have their turn. */
  async #madeInSteps(kind: Kind, conversion: Conversion, object: CachedObject): Promise<CachedObject> {
    const parsed = object.parse();
    await nextTurn();
    const stored = withDefaults(kind, conversion, object.apiVersion, parsed);
    await nextTurn();
    const converted = conversion.convert?.(stored, apiVersionOf(kind)) ?? stored;
    const shown = kind.custom ? prune(conversion, converted) : converted;
    await nextTurn();
    return sameOr(object, shown);
  }

  async #presentLater(
    kind: Kind,
    conversion: Conversion,
    objects: readonly CachedObject[],
    missing: readonly CachedObject[],
  ): Promise<readonly CachedObject[]> {
    const remote = missing.filter((object) => needsWebhook(kind, conversion, object.apiVersion));
    const asked = this.#askAll(kind, conversion, remote);
    const local = missing.filter((object) => !remote.includes(object));
    const turn = turnsByBytes();
    for (const object of local) {
      // Somebody else has made it meanwhile.
      if (this.#find(kind, object) !== undefined) continue;
      if (object.bytes.length > LARGE) {
        const made = this.#madeInSteps(kind, conversion, object);
        this.#remember(kind, object, made);
        made.catch(() => this.#forget(kind, object));
        this.#remember(kind, object, await made);
      } else this.#remember(kind, object, this.#made(kind, conversion, object));
      await turn(object.bytes.length);
    }
    await asked;
    return await Promise.all(objects.map(async (object) => (await this.#find(kind, object)) ?? object));
  }

  /** Each object is asked about once, however many wait for it. */
  async #askAll(kind: Kind, conversion: Conversion, objects: readonly CachedObject[]): Promise<void> {
    const { webhook } = conversion;
    if (webhook === undefined) return;
    const waiting = objects.map((object) => ({ object, ...Promise.withResolvers<CachedObject>() }));
    for (const { object, promise } of waiting) {
      promise.catch(() => this.#forget(kind, object));
      this.#remember(kind, object, promise);
    }
    for (const batch of batches(waiting)) {
      try {
        const stored = batch.map(({ object }) => defaulted(kind, conversion, object));
        const made = await this.#ask(kind, webhook, stored, apiVersionOf(kind));
        for (const [index, { object, resolve }] of batch.entries()) {
          const one = shownAs(kind, conversion, object, made[index] as KubeObject);
          this.#remember(kind, object, one);
          resolve(one);
        }
      } catch (error) {
        for (const { reject } of waiting) reject(error);
        throw error;
      }
    }
  }
}

function* batches<T extends { readonly object: CachedObject }>(items: readonly T[]): Generator<readonly T[]> {
  let [from, size] = [0, 0];
  for (const [index, { object }] of items.entries()) {
    if (size > 0 && size + object.bytes.length > ASKED_AT_ONCE) {
      yield items.slice(from, index);
      [from, size] = [index, 0];
    }
    size += object.bytes.length;
  }
  if (from < items.length) yield items.slice(from);
}

const needsWebhook = (kind: Kind, { webhook }: Conversion, apiVersion: string): boolean =>
  webhook !== undefined && apiVersion !== apiVersionOf(kind);

/** With the defaults of the version that it was written in. */
function defaulted(kind: Kind, conversion: Conversion, object: CachedObject): KubeObject {
  return withDefaults(kind, conversion, object.apiVersion, object.parse());
}

function withDefaults(kind: Kind, { schemas }: Conversion, apiVersion: string, parsed: KubeObject): KubeObject {
  const schema = kind.custom ? schemas.get(apiVersion) : undefined;
  if (schema !== undefined) applyDefaults(schema, parsed);
  return parsed;
}

function prune({ schemas }: Conversion, object: KubeObject): KubeObject {
  const schema = schemas.get(object.apiVersion);
  return schema === undefined ? object : (decode(schema, object, { dropEmpty: false }).value as KubeObject);
}

function shownAs(kind: Kind, conversion: Conversion, source: CachedObject, object: KubeObject): CachedObject {
  return sameOr(source, kind.custom ? prune(conversion, object) : object);
}

/** The same object where nothing about it is different. */
function sameOr(source: CachedObject, shown: KubeObject): CachedObject {
  const bytes = withRevision(encodeObject(shown), source.revision);
  return bytes.equals(source.bytes) ? source : new CachedObject(source.key, bytes, source.revision, source.keptAs);
}
