import type { RequestInfo } from "../contract.ts";

/** What a request takes of its level. */
export interface WorkEstimate {
  /** While it is answered. */
  readonly seats: number;
  /** After that, for so many milliseconds: its watchers are told. */
  readonly finalSeats: number;
  readonly finalMs: number;
}

/** What is known of a resource without asking the store. */
export interface ResourceStatistics {
  readonly count: number;
  /** Of all its objects. */
  readonly bytes: number;
}

export const ONE_SEAT: WorkEstimate = { seats: 1, finalSeats: 0, finalMs: 0 };

// Upstream's numbers.
const BYTES_PER_SEAT = 100_000;
const MOST_BYTES_FROM_MEMORY = 1_000_000;
const MOST_SEATS_OF_LIST = 100;
const MOST_SEATS_OF_WRITE = 10;
const WATCHES_PER_SEAT = 10;
const MS_PER_SEAT = 5;

/**
 * A list is one seat wide for each 100 kB that are in hand at once, at most ten where they are in memory already.
 *
 * @param info with the name that a field selector says
 * @param statistics undefined: nobody has read any of it yet, or it is another server's
 * @param most of the level; undefined where that has none of its own
 */
export function estimateList(
  { verb, resource }: RequestInfo,
  query: URLSearchParams,
  statistics: ResourceStatistics | undefined,
  most: number = MOST_SEATS_OF_LIST,
): WorkEstimate {
  if (verb === "watch" && query.get("sendInitialEvents") !== "true") return ONE_SEAT;
  if (statistics === undefined || statistics.count === 0) return ONE_SEAT;
  const { count, bytes } = statistics;
  const asked = Number(query.get("limit") ?? 0);
  const limited = asked > 0 ? Math.min(asked, count) : count;
  const isFromMemory = verb === "watch" || !isFromStore(query);
  const isSelected = (query.get("labelSelector") ?? "") !== "" || (query.get("fieldSelector") ?? "") !== "";
  const loaded =
    resource?.name !== "" ? 1 : !isFromMemory && isSelected ? Math.max(limited, Math.floor(count / 2)) : limited;
  const inHand = loaded * (bytes / count);
  const size = isFromMemory ? Math.min(inHand, MOST_BYTES_FROM_MEMORY) : inHand;
  return { ...ONE_SEAT, seats: bounded(Math.ceil(size / BYTES_PER_SEAT), Math.min(most, MOST_SEATS_OF_LIST)) };
}

/** Whether a list is of a revision that may no longer be the one in memory. */
function isFromStore(query: URLSearchParams): boolean {
  const version = query.get("resourceVersion") ?? "";
  const match = query.get("resourceVersionMatch") ?? "";
  if ((query.get("continue") ?? "") !== "" || match === "Exact") return true;
  return match === "" && Number(query.get("limit") ?? 0) > 0 && version !== "" && version !== "0";
}

/**
 * A write takes a seat, and after it a tenth of one for each who watches, where these are ten at least: for five milliseconds,
 * or narrower and longer.
 */
export function estimateWrite({ resource }: RequestInfo, watchers: number, most: number | undefined): WorkEstimate {
  const isToken = resource?.resource === "serviceaccounts" && resource.subresource === "token";
  if (watchers < WATCHES_PER_SEAT || isToken) return ONE_SEAT;
  const wanted = Math.ceil(watchers / WATCHES_PER_SEAT);
  const finalSeats = bounded(wanted, Math.min(most ?? MOST_SEATS_OF_WRITE, MOST_SEATS_OF_WRITE));
  return { seats: 1, finalSeats, finalMs: (wanted * MS_PER_SEAT) / finalSeats };
}

const bounded = (seats: number, most: number): number => Math.max(1, Math.min(seats, most));
