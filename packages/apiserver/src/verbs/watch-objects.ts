import { badRequest, tooOld, toStatus } from "@boxship/api";
import { Compacted, type WatchEvent } from "@boxship/store";
import { type StreamReply } from "../http/reply.ts";
import type { Outgoing } from "../http/send-reply.ts";
import type { ResourceRequest, ServerContext } from "../server-context.ts";
import { CachedObject } from "../storage/cached-object.ts";
import type { Change } from "../storage/change.ts";
import { objectKey } from "../storage/object-bytes.ts";
import { replaceRevision } from "../storage/object-store.ts";
import type { ResourceCache } from "../storage/resource-cache.ts";
import { type ListOptions, listOptions, matcherOf } from "./list-options.ts";
import { PresentedChanges } from "./presented-changes.ts";
import { viewOf } from "./render.ts";
import { type WatchFeed, WatchStream } from "./watch-stream.ts";

/** Seconds after which a watch ends that named no time itself. */
const SHORTEST_SECONDS = 1800;
/** Timers take no more. */
const LONGEST_MS = 2 ** 31 - 1;
const BOOKMARK_MS = 60_000;

/**
 * `GET` of a collection with `watch`: what happens in it from a revision on, without gaps. What is wrong with the revision
 * (too old, or not there yet where what is there is wanted first) is told as an event, as upstream does.
 */
export async function watchObjects(context: ServerContext, request: ResourceRequest): Promise<StreamReply> {
  if (request.accept.encoding === "yaml") throw badRequest("watches are to be had as JSON and protobuf only");
  const options = listOptions(request, true);
  const { objects } = context;
  const { kind } = request;
  const cache = await (options.revision === undefined ? objects.freshCache(kind) : objects.cache(kind));
  return { stream: (response) => run(context, request, options, cache, response) };
}

async function run(
  context: ServerContext,
  request: ResourceRequest,
  options: ListOptions,
  cache: ResourceCache,
  response: Outgoing,
): Promise<void> {
  const { kind, info } = request;
  const view = viewOf(request);
  response.writeHead(200, { "content-type": view.streamType, "cache-control": "no-cache, private" });
  // By HTTP/1.1 they would wait for the first event otherwise, and the client with them.
  response.flushHeaders();
  const matcher = matcherOf(request, options);
  const stream = new WatchStream({
    response,
    kind,
    view,
    prefix: objectKey(kind, info.namespace),
    ...(matcher === undefined ? {} : { matcher }),
  });
  const seconds = options.timeoutSeconds ?? SHORTEST_SECONDS * (1 + Math.random());
  using timer = context.clock.setTimeout(Math.min(Math.max(0, seconds * 1000), LONGEST_MS), () => stream.end());
  void timer;
  const stop = () => stream.end();
  context.ending.addEventListener("abort", stop, { once: true });
  using _ = { [Symbol.dispose]: () => context.ending.removeEventListener("abort", stop) };
  try {
    const feed = kind.conversion === undefined ? stream : new PresentedChanges(context.objects.versions, kind, stream);
    await tell(context, request, options, cache, feed);
  } catch (error) {
    stream.fail(toStatus(error instanceof Compacted ? tooOld(options.revision ?? 0, error.compactRevision) : error));
  }
}

async function tell(
  { objects, clock }: ServerContext,
  request: ResourceRequest,
  options: ListOptions,
  cache: ResourceCache,
  stream: WatchFeed,
): Promise<void> {
  const { revision } = options;
  const fresh = options.sendInitialEvents ?? (revision === undefined || revision === 0);
  let from = revision ?? 0;
  if (options.sendInitialEvents === true) await objects.waitFor(from);
  if (!fresh && revision !== undefined && revision > 0 && revision < cache.changesFrom) {
    from = await catchUp(objects, request, cache, stream, revision);
    stream.skipUpTo(from);
  }
  // From here to where it listens nothing is awaited: no change comes in between.
  if (fresh) {
    void stream.initial([...cache.between(stream.prefix, `${stream.prefix}\u{10ffff}`)]);
    from = Math.max(objects.told, cache.lastChange);
    if (options.sendInitialEvents && options.bookmarks) stream.bookmark(from, true);
  } else if (revision === undefined || revision === 0) from = objects.told;
  else for (const change of cache.since(from)) stream.changed(change);
  stream.skipUpTo(from);
  using listening = cache.listen(stream, stream.prefix);
  void listening;
  if (!options.bookmarks) {
    await stream.over;
    return;
  }
  let bookmarked = from;
  let timer = clock.setTimeout(BOOKMARK_MS, bookmark);
  function bookmark(): void {
    if (objects.told > bookmarked) stream.bookmark((bookmarked = objects.told), false);
    timer = clock.setTimeout(BOOKMARK_MS, bookmark);
  }
  await stream.over;
  timer[Symbol.dispose]();
}

/** What happened before the changes that are in memory, from the store. @returns the revision up to where */
async function catchUp(
  objects: ServerContext["objects"],
  { kind }: ResourceRequest,
  cache: ResourceCache,
  stream: WatchFeed,
  revision: number,
): Promise<number> {
  await using watch = objects.history(kind, revision + 1);
  let at = revision;
  for await (const batch of watch) {
    for (const event of batch.events) {
      const previous = event.previous === undefined ? undefined : objects.cachedOf(event.previous);
      stream.changed(changeOf(objects, event, previous));
    }
    at = batch.revision;
    if (stream.isOver || at >= cache.changesFrom) break;
  }
  return at;
}

function changeOf(objects: ServerContext["objects"], event: WatchEvent, previous: CachedObject | undefined): Change {
  const before = previous === undefined ? {} : { previous };
  if (event.kind === "put") {
    const object = objects.cachedOf(event.item);
    return { key: object.key, revision: object.revision, object, deleted: false, ...before };
  }
  const { key, modRevision: revision } = event;
  const bytes = previous === undefined ? Buffer.from("{}") : replaceRevision(previous.bytes, revision);
  return { key, revision, object: new CachedObject(key, bytes, revision), deleted: true, ...before };
}
