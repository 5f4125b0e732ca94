import type { Kind } from "../kind/kind.ts";
import { apiVersionOf, type KubeObject } from "../object/kube-object.ts";
import type { Schema } from "../schema/schema.ts";
import { compareFields, type FieldChanges } from "./compare-fields.ts";
import { manageable } from "./manageable.ts";

/** An object in another version, with that version's schema. */
export interface Versioned {
  readonly object: KubeObject;
  readonly schema: Schema;
}

/** Converts an object; undefined for a version that there is no more. */
export type InVersion = (object: KubeObject, apiVersion: string) => Promise<Versioned | undefined>;

/** What has changed between two objects, as the managers of each version see it. */
export class VersionedChanges {
  readonly #kind: Pick<Kind, "custom" | "group" | "version">;
  readonly #old: KubeObject | undefined;
  readonly #object: KubeObject;
  readonly #inVersion: InVersion | undefined;
  readonly #known = new Map<string, Promise<FieldChanges | undefined>>();

  constructor(
    kind: Pick<Kind, "custom" | "group" | "version">,
    old: KubeObject | undefined,
    object: KubeObject,
    own: FieldChanges,
    inVersion: InVersion | undefined,
  ) {
    this.#kind = kind;
    this.#old = old;
    this.#object = object;
    this.#inVersion = inVersion;
    this.#known.set(apiVersionOf(kind), Promise.resolve(own));
  }

  /** @returns undefined for a version that there is no more: nobody can manage fields in it */
  async in(apiVersion: string): Promise<FieldChanges | undefined> {
    let changes = this.#known.get(apiVersion);
    if (changes === undefined) this.#known.set(apiVersion, (changes = this.#compare(apiVersion)));
    return await changes;
  }

  async #compare(apiVersion: string): Promise<FieldChanges | undefined> {
    const inVersion = this.#inVersion;
    if (inVersion === undefined) return await this.in(apiVersionOf(this.#kind));
    const now = await inVersion(this.#object, apiVersion);
    if (now === undefined) return undefined;
    const before = this.#old === undefined ? undefined : await inVersion(this.#old, apiVersion);
    return compareFields(now.schema, before === undefined ? {} : manageable(before.object), manageable(now.object), {
      builtin: !this.#kind.custom,
    });
  }
}
