import { expired, type Json } from "@boxship/api";
import { Compacted, keyAfter, prefixRange } from "@boxship/store";
import type { Reply } from "../http/reply.ts";
import { turnsByBytes } from "../http/take-turns.ts";
import type { ResourceRequest, ServerContext } from "../server-context.ts";
import type { CachedObject } from "../storage/cached-object.ts";
import { objectKey } from "../storage/object-bytes.ts";
import type { ResourceCache } from "../storage/resource-cache.ts";
import { decodeContinue, encodeContinue } from "./continue-token.ts";
import { type ListOptions, listOptions, type Matcher, matcherOf } from "./list-options.ts";
import { listReply } from "./render.ts";

/** `GET` of a collection: from memory, unless an older revision is asked for. */
export async function listObjects(context: ServerContext, request: ResourceRequest): Promise<Reply> {
  const page = await readPage(context, request, listOptions(request, false));
  const metadata: Record<string, Json> = { resourceVersion: String(page.revision) };
  if (page.next !== undefined) metadata["continue"] = page.next;
  if (page.remaining !== undefined) metadata["remainingItemCount"] = page.remaining;
  return listReply(request, page.objects, metadata);
}

export interface Page {
  readonly objects: readonly CachedObject[];
  readonly revision: number;
  /** The token of the next page. */
  readonly next?: string;
  readonly remaining?: number;
}

/** @throws Expired, BadRequest */
export async function readPage(context: ServerContext, request: ResourceRequest, options: ListOptions): Promise<Page> {
  if (options.continue !== "") {
    const { revision, start } = decodeContinue(options.continue);
    return await pageAt(context, request, options, revision, start);
  }
  if (options.match === "Exact" && options.revision !== undefined) {
    return await pageAt(context, request, options, options.revision, "");
  }
  return await newestPage(context, request, options);
}

/** Of the newest revision, or of any that is new enough for the client. */
async function newestPage({ objects }: ServerContext, request: ResourceRequest, options: ListOptions): Promise<Page> {
  const { kind } = request;
  const cache = options.revision === undefined ? await objects.freshCache(kind) : await objects.cache(kind);
  if (options.revision !== undefined) await objects.waitFor(options.revision);
  // Upstream's caches, too, answer "any" with everything.
  const limit = options.revision === 0 ? 0 : options.limit;
  const revision = Math.max(objects.told, cache.lastChange);
  return await take(objects, { cache, range: bounds(request) }, { ...options, limit }, request, revision);
}

function bounds({ kind, info }: ResourceRequest): [start: string, end: string] {
  const { start, end = "" } = prefixRange(objectKey(kind, info.namespace));
  return [start, end];
}

/** A part of a resource in memory. */
interface Part {
  readonly cache: ResourceCache;
  readonly range: readonly [start: string, end: string];
}

async function take(
  { versions }: ServerContext["objects"],
  part: Part,
  options: ListOptions,
  request: ResourceRequest,
  revision: number,
): Promise<Page> {
  const matcher = matcherOf(request, options);
  if (matcher === undefined) {
    const page = pageOf(part, options, request, revision);
    return { ...page, objects: await versions.present(request.kind, page.objects) };
  }
  const all = part.cache.between(...part.range);
  // What selectors look at may be different in the version that is asked for.
  const found = request.kind.conversion === undefined ? [...all] : await versions.present(request.kind, [...all]);
  return await selectedPage(found, matcher, options, request, revision);
}

/** In turns: what selectors look at is read of objects that nobody has asked so before, and they may have many terms. */
async function selectedPage(
  found: readonly CachedObject[],
  matcher: Matcher,
  { limit }: ListOptions,
  request: ResourceRequest,
  revision: number,
): Promise<Page> {
  const objects: CachedObject[] = [];
  const turn = turnsByBytes();
  for (const object of found) {
    const turned = turn(matcher.cost(object));
    if (turned !== undefined) await turned;
    if (!matcher.matches(object)) continue;
    const last = objects.at(-1);
    if (limit > 0 && objects.length === limit && last !== undefined)
      return { objects, revision, next: nextOf(last, request, revision) };
    objects.push(object);
  }
  return { objects, revision };
}

function nextOf({ key }: CachedObject, { kind }: ResourceRequest, revision: number): string {
  return encodeContinue({ revision, start: keyAfter(key).slice(objectKey(kind).length) });
}

/** What a page costs does not grow with what comes after it. */
function pageOf({ cache, range }: Part, { limit }: ListOptions, request: ResourceRequest, revision: number): Page {
  const objects = [...cache.between(...range, limit === 0 ? undefined : limit)];
  const left = cache.count(...range) - objects.length;
  const last = objects.at(-1);
  if (left === 0 || last === undefined) return { objects, revision };
  return { objects, revision, next: nextOf(last, request, revision), remaining: left };
}

const PAGE_FROM_STORE = 5000;

/** Of one revision; from memory where nothing of the resource has changed since. */
async function pageAt(
  { objects }: ServerContext,
  request: ResourceRequest,
  options: ListOptions,
  revision: number,
  after: string,
): Promise<Page> {
  const [first, end] = bounds(request);
  const key = `${objectKey(request.kind)}${after}`;
  const start = after === "" || key < first ? first : key;
  const cache = await objects.cache(request.kind);
  await objects.waitFor(revision);
  if (cache.lastChange <= revision)
    return await take(objects, { cache, range: [start, end] }, options, request, revision);
  try {
    return await storedPage(objects, request, options, { start, end, revision });
  } catch (error) {
    if (!(error instanceof Compacted)) throw error;
    throw expired(
      "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
    );
  }
}

async function storedPage(
  objects: ServerContext["objects"],
  request: ResourceRequest,
  options: ListOptions,
  { start, end, revision }: { readonly start: string; readonly end: string; readonly revision: number },
): Promise<Page> {
  const matcher = matcherOf(request, options);
  const wanted = options.limit === 0 ? Number.POSITIVE_INFINITY : options.limit;
  const taken: CachedObject[] = [];
  const turn = turnsByBytes();
  for (let from = start; ; ) {
    const limit = matcher === undefined ? Math.min(wanted - taken.length, PAGE_FROM_STORE) : PAGE_FROM_STORE;
    const page = await objects.readAt({ start: from, end }, { revision, limit });
    const presented = await objects.versions.present(request.kind, page.objects);
    for (const [index, object] of presented.entries()) {
      const turned = matcher === undefined ? undefined : turn(matcher.cost(object));
      if (turned !== undefined) await turned;
      if (matcher?.matches(object) === false) continue;
      taken.push(object);
      const rest = page.more || index < page.objects.length - 1;
      if (taken.length < wanted || !rest) continue;
      const next = nextOf(object, request, revision);
      const remaining = matcher === undefined ? { remaining: page.count - index - 1 } : {};
      return { objects: taken, revision, next, ...remaining };
    }
    const last = page.objects.at(-1);
    if (!page.more || last === undefined) return { objects: taken, revision };
    from = keyAfter(last.key);
  }
}
