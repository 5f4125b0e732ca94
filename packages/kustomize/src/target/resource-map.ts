import { BuildFailure } from "../failure.ts";
import { idKey, idText, type ResId } from "./res-id.ts";
import type { Resource } from "./resource.ts";

/** The resources of a build, in their order. No two have the same name. */
export class ResourceMap {
  resources: Resource[];

  constructor(resources: Resource[] = []) {
    this.resources = resources;
  }

  static of(resources: Iterable<Resource>): ResourceMap {
    const map = new ResourceMap();
    map.append(resources);
    return map;
  }

  /** @throws BuildFailure where one has a name that is taken */
  append(resources: Iterable<Resource>): void {
    const taken = new Set(this.resources.map(({ id }) => idKey(id)));
    for (const resource of resources) {
      const { id } = resource;
      const key = idKey(id);
      if (taken.has(key)) {
        throw new BuildFailure(`may not add resource with an already registered id: ${idText(id)}`);
      }
      taken.add(key);
      this.resources.push(resource);
    }
  }

  dropEmpty(): void {
    this.resources = this.resources.filter(({ node }) => !node.isEmpty);
  }

  /** Those that have a name now, or had it, that a test is true for. */
  withAnyId(matches: (id: ResId) => boolean): Resource[] {
    return this.resources.filter(
      (resource) => !resource.node.isEmpty && (matches(resource.id) || resource.previousIds.some(matches)),
    );
  }

  /** The one that has a name or had it. */
  byAnyId(id: ResId): Resource {
    const key = idKey(id);
    const found = this.withAnyId((one) => idKey(one) === key);
    if (found.length === 1 && found[0] !== undefined) return found[0];
    const what = found.length === 0 ? "no matches" : "multiple matches";
    const text = idText(id);
    throw new BuildFailure(`${what} for Id ${text}; failed to find unique target for patch ${text}`);
  }
}
