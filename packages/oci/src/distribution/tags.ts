import { InvalidArgument } from "@boxship/base";
import { Field } from "../decode.ts";
import { familiarName, type Reference } from "../reference.ts";
import { repositoryScope } from "./authentication.ts";
import type { Reply } from "./failures.ts";
import type { ApiRequest } from "./session.ts";

const PAGE_SIZE = 1000;
const PAGE_LIMIT = 8 * 1024 * 1024;
const MOST_PAGES = 10_000;

/** All tags, page by page (distribution spec, "Listing Tags"). */
export async function listTags(
  ask: (request: ApiRequest) => Promise<Reply>,
  reference: Reference,
): Promise<readonly string[]> {
  const base = `${reference.path}/tags/list`;
  const tags: string[] = [];
  let query: string | undefined = `n=${PAGE_SIZE}`;
  for (let page = 0; query !== undefined; page++) {
    if (page === MOST_PAGES) throw new InvalidArgument(`the tags of ${familiarName(reference)} do not end`);
    const reply: Reply = await ask({
      method: "GET",
      path: `${base}?${query}`,
      asked: { what: "tags", reference },
      scope: repositoryScope(reference, ["pull"]),
    });
    const document = Field.parse(`the tag list of ${familiarName(reference)}`, reply.body, PAGE_LIMIT);
    tags.push(...(document.get("tags").optional((field) => field.strings()) ?? []));
    query = nextQuery(reply.headers.link);
  }
  return tags;
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
