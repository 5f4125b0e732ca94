import { InvalidArgument } from "@boxship/base";
import type { CacheRecord } from "../../contract.ts";

/** What a filter looks at, by the names that clients use. */
function valueOf(record: CacheRecord, name: string): string | undefined {
  switch (name) {
    case "id":
      return record.id;
    case "parents":
    case "parent":
      return record.parents.join(";");
    case "description":
      return record.description;
    case "type":
      return record.kind;
    case "inuse":
      return record.inUse ? "" : undefined;
    case "shared":
      return record.shared ? "" : undefined;
    case "private":
      return record.shared ? undefined : "";
    case "mutable":
      return isMutable(record) ? "" : undefined;
    case "immutable":
      return isMutable(record) ? undefined : "";
    default:
      throw new InvalidArgument(`cache records have no field ${name}`);
  }
}

/** Whether builds write into it. */
export const isMutable = (record: CacheRecord): boolean =>
  record.kind === "exec.cachemount" || record.kind === "source.local";

const TERM = /^([a-z.]+)(?:(==|!=|~=)(.*))?$/;

/**
 * The filters of `du` and `prune`: each is a list of terms (`type==regular`, `description~=npm`, `inuse`) that must all
 * hold; of several filters one is enough. None lets everything pass.
 *
 * @throws InvalidArgument
 */
export function usageFilter(filters: readonly string[]): (record: CacheRecord) => boolean {
  const alternatives = filters
    .filter((filter) => filter !== "")
    .map((filter) => filter.split(",").map((term) => readTerm(term)));
  return (record) =>
    alternatives.length === 0 || alternatives.some((terms) => terms.every((matches) => matches(record)));
}

function readTerm(term: string): (record: CacheRecord) => boolean {
  const match = TERM.exec(term.trim());
  if (match === null) throw new InvalidArgument(`malformed filter '${term}'`);
  const [, name = "", operator] = match;
  const wanted = (match[3] ?? "").replace(/^"(.*)"$/, "$1");
  if (operator === "~=" && wanted.length > 256) throw new InvalidArgument(`filter '${name}' is too long`);
  return (record) => {
    const value = valueOf(record, name);
    switch (operator) {
      case "==":
        return value === wanted;
      case "!=":
        return value !== wanted;
      case "~=":
        // A part of the text; expressions would let a client stop the event loop.
        return value?.includes(wanted) === true;
      default:
        return value !== undefined;
    }
  };
}
