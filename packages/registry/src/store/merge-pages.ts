import type { Page, PageRequest } from "./repository-index.ts";

/** Two ordered parts of lists as one, each name once. */
export function mergePages(a: Page, b: Page, { limit }: PageRequest): Page {
  const names = [...new Set([...a.names, ...b.names])].sort();
  const cut = limit === undefined ? names : names.slice(0, limit);
  return { names: cut, more: a.more || b.more || cut.length < names.length };
}

/** The part of a list that a page asks for. */
export function pageOf(all: Iterable<string>, { limit, after }: PageRequest): Page {
  const names = [...all].filter((name) => after === undefined || name > after).sort();
  return {
    names: limit === undefined ? names : names.slice(0, limit),
    more: limit !== undefined && names.length > limit,
  };
}
