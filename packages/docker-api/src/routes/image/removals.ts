type Removal = { readonly untagged: string } | { readonly deleted: string };

/** What went, in order, as Docker reports it. */
export function encodeRemovals(removals: readonly Removal[]): readonly Readonly<Record<string, string | undefined>>[] {
  return removals.map((removal) =>
    "untagged" in removal ? { Untagged: removal.untagged } : { Deleted: removal.deleted },
  );
}
