import { BuildFailure } from "../failure.ts";
import type { Transform } from "./plugins.ts";
import type { Resource } from "./resource.ts";
import type { ResourceMap } from "./resource-map.ts";

/** Lets a validator look at all objects. @throws BuildFailure where it changes them */
export function validated(map: ResourceMap, check: Transform): void {
  const before = map.resources.map((one) => stateOf(one));
  check(map);
  const after = map.resources.map((one) => stateOf(withoutMark(one)));
  if (before.length === after.length && before.every((one, at) => one === after[at])) return;
  throw new BuildFailure("validator shouldn't modify the resource map");
}

/** What a validator must leave as it is: also names that it only writes again count as changed. */
const stateOf = (resource: Resource): string => JSON.stringify([resource.toJson(), resource.previous.length]);

/** The label by which a validator says that it looked at an object. */
function withoutMark(resource: Resource): Resource {
  const copy = resource.copy();
  const labels = new Map(copy.labels);
  if (labels.delete("validated-by")) copy.labels = labels;
  return copy;
}
