import { PermissionDenied, Unavailable, Unsupported } from "@boxship/base";
import { Field } from "../decode.ts";
import { DEFAULT_DOMAIN, type Reference } from "../reference.ts";
import { type Ask, pagesOf } from "./pages.ts";

/** A repository that a search has found. */
export interface FoundRepository {
  /** As one would pull it: with the registry's host, but for the public one. */
  readonly name: string;
  /** Empty where the registry knows none, as its catalogue does. */
  readonly description: string;
  readonly stars: number;
  readonly official: boolean;
  readonly automated: boolean;
}

export interface Search {
  /** The registry. */
  readonly domain: string;
  readonly term: string;
  /** How many are wanted at most. */
  readonly limit: number;
}

interface Asking {
  readonly ask: Ask;
  /** A path of the registry's host as a whole address. */
  readonly address: (path: string) => Promise<string>;
}

const LIMIT = 8 * 1024 * 1024;
const PAGE = 1000;
/** The public registry searches on another host than it serves from. */
const PUBLIC_SEARCH = "https://index.docker.io/v1/search";

/**
 * Asks the registry's search (API version 1, which the public one has), else looks through its catalogue.
 *
 * @throws Unsupported when the registry offers neither
 */
export async function searchRepositories(asking: Asking, search: Search): Promise<readonly FoundRepository[]> {
  try {
    return await askSearch(asking, search);
  } catch (error) {
    if (error instanceof Unavailable || search.domain === DEFAULT_DOMAIN) throw error;
  }
  try {
    return await askCatalogue(asking, search);
  } catch (error) {
    if (error instanceof Unavailable || error instanceof PermissionDenied) throw error;
    throw new Unsupported(`registry ${search.domain} cannot be searched: it has neither a search nor a catalogue`, {
      subject: { kind: "registry", name: search.domain },
      remedy: "name the image in full",
      cause: error,
    });
  }
}

const aboutRegistry = (domain: string) => {
  const reference: Reference = { domain, path: "search" };
  return { what: "registry", reference } as const;
};

async function askSearch({ ask, address }: Asking, { domain, term, limit }: Search) {
  const query = new URLSearchParams({ q: term, n: String(limit) }).toString();
  const place = domain === DEFAULT_DOMAIN ? PUBLIC_SEARCH : await address("/v1/search");
  const reply = await ask({ method: "GET", path: `${place}?${query}`, asked: aboutRegistry(domain), scope: "" });
  const results = Field.parse(`the search of ${domain}`, reply.body, LIMIT).get("results");
  const found = results.array((field): FoundRepository => {
    const flag = (key: string) => field.get(key).optional((value) => value.boolean()) ?? false;
    const name = field.get("name").string();
    return {
      name: domain === DEFAULT_DOMAIN ? name : `${domain}/${name}`,
      description: field.get("description").optional((value) => value.string()) ?? "",
      stars: field.get("star_count").optional((value) => value.integer()) ?? 0,
      official: flag("is_official"),
      automated: flag("is_automated"),
    };
  });
  return found.slice(0, limit);
}

async function askCatalogue({ ask }: Asking, { domain, term, limit }: Search): Promise<readonly FoundRepository[]> {
  const found: FoundRepository[] = [];
  const what = `the repositories of ${domain}`;
  const request = {
    method: "GET" as const,
    path: `_catalog?n=${PAGE}`,
    asked: aboutRegistry(domain),
    scope: "registry:catalog:*",
  };
  for await (const { body } of pagesOf({ ask, request, what })) {
    const document = Field.parse(`the catalogue of ${domain}`, body, LIMIT);
    for (const name of document.get("repositories").optional((field) => field.strings()) ?? []) {
      if (!name.includes(term)) continue;
      found.push({ name: `${domain}/${name}`, description: "", stars: 0, official: false, automated: false });
    }
    if (found.length >= limit) break;
  }
  return found.slice(0, limit);
}
