import { InvalidArgument, Unavailable } from "@boxship/base";
import type { Reply } from "./failures.ts";
import type { ApiRequest } from "./session.ts";

export type Ask = (request: ApiRequest, signal?: AbortSignal) => Promise<Reply>;

export interface Listing {
  readonly ask: Ask;
  /** For the first page, with its query. */
  readonly request: ApiRequest;
  /** For errors, e.g. `the tags of team/app`. */
  readonly what: string;
  /** @default listingLimits */
  readonly limits?: ListingLimits;
}

export interface ListingLimits {
  readonly pages: number;
  /** Of all pages together. */
  readonly bytes: number;
  readonly milliseconds: number;
}

/** What a list may come to: a registry that never ends it must not keep anybody for ever. A million tags fit. */
export const listingLimits: ListingLimits = { pages: 10_000, bytes: 64 * 1024 * 1024, milliseconds: 600_000 };

/**
 * The pages of a list (distribution spec, "Listing Tags"), each as the registry answers. Only the query of a link to the
 * next page counts: whatever host and path it names, the list and who asks for it stay where they are.
 *
 * @throws InvalidArgument for a list without an end; Unavailable for one that takes too long
 */
export async function* pagesOf({ ask, request, what, limits = listingLimits }: Listing): AsyncGenerator<Reply> {
  const [base = ""] = request.path.split("?");
  const endless = (why: string) => new InvalidArgument(`${what} do not end: ${why}`);
  const timer = new AbortController();
  const late = new Unavailable(`${what} do not end: there were more after ${limits.milliseconds / 1000} s`);
  const timeout = setTimeout(() => timer.abort(late), limits.milliseconds);
  const asked = new Set<string>();
  let bytes = 0;
  try {
    for (let path: string | undefined = request.path; path !== undefined; ) {
      if (asked.has(path)) throw endless("the registry names a page as the next one that it has sent already");
      if (asked.size === limits.pages) throw endless(`there are more than ${limits.pages} pages`);
      asked.add(path);
      const reply: Reply = await ask({ ...request, path }, timer.signal);
      bytes += reply.body.byteLength;
      if (bytes > limits.bytes) throw endless(`there are more than ${limits.bytes} bytes`);
      yield reply;
      const query = nextQuery(reply.headers.link);
      path = query === undefined ? undefined : `${base}?${query}`;
    }
  } finally {
    clearTimeout(timeout);
  }
}

/** The query of the next page. The rest of the link does not matter: the list stays where it is. */
export function nextQuery(link: string | readonly string[] | undefined): string | undefined {
  const text = typeof link === "string" ? link : (link?.join(", ") ?? "");
  for (const [, target = "", parameters = ""] of text.matchAll(/<([^>]*)>([^<]*)/g)) {
    if (!/;\s*rel="?next"?/i.test(parameters)) continue;
    const start = target.indexOf("?");
    return start === -1 ? undefined : target.slice(start + 1);
  }
  return undefined;
}
