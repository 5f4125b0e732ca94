import type { BuildCacheRecord } from "../../build-door.ts";
import { Filters } from "../../http/filters.ts";
import { flag, integer } from "../../http/query.ts";
import { defineRoute, ok } from "../../http/route.ts";
import { untilTime } from "../../http/until.ts";

const FILTERS = [
  "until",
  "id",
  "parent",
  "type",
  "description",
  "inuse",
  "shared",
  "private",
  "unused-for",
  "label",
  "label!",
];

export const buildPrune = defineRoute({
  method: "POST",
  path: "/build/prune",
  minVersion: 31,
  doc: {
    state: "works",
    note: "records without a layer go with `all`; they are not listed",
    details: {
      "max-used-space": { state: "differs", note: "passed over: `reserved-space` says how much stays" },
      "min-free-space": { state: "differs", note: "passed over: `reserved-space` says how much stays" },
    },
  },
  query: (query) => ({
    all: flag(query, "all"),
    // Newer clients say it in two words.
    keepBytes: integer(query, "reserved-space") ?? integer(query, "keep-storage") ?? 0,
    filters: Filters.from(query, FILTERS),
  }),
  handle: async (call, { query: { all, keepBytes, filters } }) => {
    const now = call.context.clock.now();
    const until =
      untilTime(filters, now) ?? untilTime(new Filters(new Map([["until", filters.get("unused-for")]])), now);
    const options = {
      all,
      keepBytes,
      olderThan: until === undefined ? 0 : Math.max(0, now - until),
      matches: (record: BuildCacheRecord) => matches(filters, record),
    };
    // Without a builder there is no cache, and nothing to remove.
    const { removed, reclaimed } = (await call.context.build?.prune(options)) ?? { removed: [], reclaimed: 0 };
    return ok({ CachesDeleted: removed.length === 0 ? null : removed.map(({ id }) => id), SpaceReclaimed: reclaimed });
  },
});

function matches(filters: Filters, record: BuildCacheRecord): boolean {
  const isFlag = (key: string, value: boolean) => (filters.flag(key) ?? value) === value;
  return (
    filters.any("id", (id) => record.id.startsWith(id)) &&
    filters.any("parent", (id) => record.parents.includes(id)) &&
    filters.any("type", (type) => record.kind === type) &&
    filters.any("description", (text) => record.description.includes(text)) &&
    // Nothing of a cache has labels. They come with `system prune`, which means what has them.
    filters.labels({}) &&
    isFlag("inuse", record.inUse) &&
    isFlag("shared", record.shared) &&
    isFlag("private", !record.shared)
  );
}
