import { InvalidArgument } from "@boxship/base";
import type { EngineContext } from "../context.ts";
import type { FoundImage, ImagesApi } from "../engine-api.ts";
import { requestCredentials } from "./registry-reference.ts";

const PUBLIC = "docker.io";
const LEGACY_PUBLIC = "index.docker.io";

/** What a term asks of whom: a first part that can only be a host is one, as in the names of images. */
export function searchTerm(text: string): { readonly domain: string; readonly term: string } {
  const slash = text.indexOf("/");
  const first = slash < 0 ? "" : text.slice(0, slash);
  const isHost = /[.:]/.test(first) || first === "localhost";
  const term = isHost ? text.slice(slash + 1) : text;
  if (/[\0\s]/.test(text) || text.includes("://")) {
    throw new InvalidArgument(`invalid search term ${JSON.stringify(text)}`, {
      remedy: "write a part of a name, after HOST/ to search another registry",
    });
  }
  return { domain: !isHost || first === LEGACY_PUBLIC ? PUBLIC : first, term };
}

/** Searches a registry. */
export function searchImages(
  context: EngineContext,
  text: string,
  { limit, credentials, signal }: Parameters<ImagesApi["search"]>[1],
): Promise<readonly FoundImage[]> {
  const { domain, term } = searchTerm(text);
  const own = requestCredentials({ domain, path: "search" }, credentials);
  return context.images.client.search({ domain, term, limit }, { ...own, signal });
}
