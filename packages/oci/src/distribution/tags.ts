import { Field } from "../decode.ts";
import { familiarName, type Reference } from "../reference.ts";
import { repositoryScope } from "./authentication.ts";
import { type Ask, type ListingLimits, pagesOf } from "./pages.ts";

const PAGE_SIZE = 1000;
const PAGE_LIMIT = 8 * 1024 * 1024;

/** All tags, page by page (distribution spec, "Listing Tags"). */
export async function listTags(ask: Ask, reference: Reference, limits?: ListingLimits): Promise<readonly string[]> {
  const tags: string[] = [];
  const request = {
    method: "GET" as const,
    path: `${reference.path}/tags/list?n=${PAGE_SIZE}`,
    asked: { what: "tags" as const, reference },
    scope: repositoryScope(reference, ["pull"]),
  };
  const what = `the tags of ${familiarName(reference)}`;
  for await (const { body } of pagesOf({ ask, request, what, ...(limits !== undefined && { limits }) })) {
    const document = Field.parse(`the tag list of ${familiarName(reference)}`, body, PAGE_LIMIT);
    for (const tag of document.get("tags").optional((field) => field.strings()) ?? []) tags.push(tag);
  }
  return tags;
}
