import { deepEqual, type KubeObject } from "@boxship/api";
import { freeze } from "./freeze.ts";

/** Objects that informers of this process have, by uid and version; they go when no informer has them any more. */
const known = new Map<string, WeakRef<KubeObject>>();
const gone = new FinalizationRegistry<string>((id) => {
  if (known.get(id)?.deref() === undefined) known.delete(id);
});

/**
 * The object as all informers of this process have it, whichever asked the server first: frozen, and without
 * `managedFields`, which nobody who follows objects looks at and which are a third of some.
 */
export function shareObject<T extends KubeObject>(object: T): T {
  const { uid = "", resourceVersion = "" } = object.metadata;
  const id = `${uid} ${resourceVersion} ${object.apiVersion}`;
  const found = uid === "" || resourceVersion === "" ? undefined : known.get(id)?.deref();
  if (found === object) return object;
  if (!Object.isFrozen(object)) {
    delete object.metadata.managedFields;
    freeze(object);
  }
  // Of two servers, each may have one with this uid and version.
  if (found !== undefined && deepEqual(found, object)) return found as T;
  if (uid !== "" && resourceVersion !== "") {
    known.set(id, new WeakRef(object));
    gone.register(object, id);
  }
  return object;
}
