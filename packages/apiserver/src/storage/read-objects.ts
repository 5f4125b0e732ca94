import type { Kind, KubeObject } from "@boxship/api";
import { turnsByBytes } from "../http/take-turns.ts";
import type { ServerContext } from "../server-context.ts";
import type { CachedObject } from "./cached-object.ts";
import type { ResourceCache } from "./resource-cache.ts";

interface Parsed {
  readonly kind: Kind;
  readonly revision: number;
  readonly objects: readonly KubeObject[];
}

/** All objects of a resource, parsed, as long as none of them has changed. */
const parsed = new WeakMap<ServerContext["objects"], Map<string, Parsed>>();

/** What each was as an object; of what has changed, the rest is not read again. */
const byCached = new WeakMap<CachedObject, KubeObject>();

/** Reading an object that has been read costs as much as so many bytes of one that has not. */
const KNOWN = 32;

/** All of a resource as objects, in turns. Nobody changes them. */
export async function parseAll(cache: ResourceCache): Promise<readonly KubeObject[]> {
  const turn = turnsByBytes();
  const objects: KubeObject[] = [];
  for (const cached of [...cache.between("", "")]) {
    let object = byCached.get(cached);
    const turned = turn(object === undefined ? cached.bytes.length : KNOWN);
    if (turned !== undefined) await turned;
    if (object === undefined) byCached.set(cached, (object = cached.parse()));
    objects.push(object);
  }
  return objects;
}

/** A built-in resource, whichever of its versions is kept. */
export function builtinKind({ kinds }: Pick<ServerContext, "kinds">, group: string, resource: string): Kind {
  return kinds.findResource(group, resource) as Kind;
}

/** An object as it is now. */
export async function readObject(
  context: Pick<ServerContext, "kinds" | "objects">,
  group: string,
  resource: string,
  { name, namespace = "" }: { readonly name: string; readonly namespace?: string },
): Promise<KubeObject | undefined> {
  const found = await context.objects.get(builtinKind(context, group, resource), namespace, name);
  return found?.parse();
}

/** All objects of a resource, in every namespace. Nobody changes them. */
export async function allObjects(
  context: Pick<ServerContext, "kinds" | "objects">,
  group: string,
  resource: string,
): Promise<readonly KubeObject[]> {
  // Asked for several resources at each write.
  const same = unchangedObjects(context, group, resource);
  if (same !== undefined) return same;
  const kind = builtinKind(context, group, resource);
  const cache = await context.objects.cache(kind);
  let known = parsed.get(context.objects);
  if (known === undefined) parsed.set(context.objects, (known = new Map<string, Parsed>()));
  const name = `${group}/${resource}`;
  const revision = cache.lastChange;
  const objects = await parseAll(cache);
  if ((known.get(name)?.revision ?? 0) <= revision) known.set(name, { kind, revision, objects });
  return objects;
}

/** The same as the last time, without waiting; undefined where something has changed, or nobody has asked yet. */
export function unchangedObjects(
  { objects }: Pick<ServerContext, "objects">,
  group: string,
  resource: string,
): readonly KubeObject[] | undefined {
  const before = parsed.get(objects)?.get(`${group}/${resource}`);
  if (before === undefined || objects.loadedCache(before.kind)?.lastChange !== before.revision) return undefined;
  return before.objects;
}
