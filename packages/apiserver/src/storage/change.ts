import type { CachedObject } from "./cached-object.ts";

/** One change of one object, as watches of its resource are told it. */
export interface Change {
  readonly revision: number;
  readonly key: string;
  /** The object now; of a deletion the last one, with the deletion's revision. */
  readonly object: CachedObject;
  readonly deleted: boolean;
  /** The object before; undefined for a new one. */
  readonly previous?: CachedObject;
}
