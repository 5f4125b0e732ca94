import type { Page, PageRequest } from "./repository-index.ts";
import type { RepositoryStore } from "./repository-store.ts";

const PAGE = 1000;

/** Repositories that `visible` lets through, in their order. */
export async function visibleRepositories(
  repositories: RepositoryStore,
  visible: (repository: string) => boolean,
  { limit = Infinity, after }: PageRequest = {},
): Promise<Page> {
  if (limit === 0) return { names: [], more: false };
  const names: string[] = [];
  for (let last = after; ; ) {
    const page = await repositories.repositories({ limit: PAGE, ...(last !== undefined && { after: last }) });
    names.push(...page.names.filter(visible));
    // One more than wanted tells whether there are more.
    if (names.length > limit) return { names: names.slice(0, limit), more: true };
    last = page.names.at(-1);
    if (!page.more || last === undefined) return { names, more: false };
  }
}
