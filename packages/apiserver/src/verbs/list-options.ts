import {
  badRequest,
  type FieldError,
  type FieldSelector,
  forbiddenField,
  invalid,
  invalidObject,
  type LabelSelector,
  matchesFields,
  matchesLabels,
  notSupported,
  parseFieldSelector,
  parseLabelSelector,
} from "@boxship/api";
import type { ResourceRequest } from "../server-context.ts";
import type { CachedObject } from "../storage/cached-object.ts";

/** What lists and watches may be told. */
export interface ListOptions {
  readonly labels: LabelSelector;
  readonly fields: FieldSelector;
  /** 0: all. */
  readonly limit: number;
  readonly continue: string;
  /** Undefined where the client did not say. */
  readonly revision?: number;
  readonly match?: "Exact" | "NotOlderThan";
  readonly bookmarks: boolean;
  readonly timeoutSeconds?: number;
  readonly sendInitialEvents?: boolean;
}

const MATCHES = ["Exact", "NotOlderThan"] as const;

/** @throws BadRequest, Invalid */
export function listOptions({ kind, info, query }: ResourceRequest, isWatch: boolean): ListOptions {
  const text = (name: string): string => query.get(name) ?? "";
  const errors: FieldError[] = [];
  const version = text("resourceVersion");
  if (version !== "" && !/^\d{1,16}$/.test(version)) {
    errors.push(
      invalid("resourceVersion", version, `strconv.ParseUint: parsing ${JSON.stringify(version)}: invalid syntax`),
    );
  }
  const asked = text("resourceVersionMatch");
  const match = MATCHES.find((known) => known === asked);
  if (asked !== "" && match === undefined) errors.push(notSupported("resourceVersionMatch", asked, [...MATCHES, ""]));
  const sendInitialEvents = booleanOf(query, "sendInitialEvents");
  errors.push(...checkCombination({ version, asked, isWatch, continued: text("continue") !== "", sendInitialEvents }));
  if (errors.length > 0) throw invalidObject({ group: "meta.k8s.io", resource: "ListOptions" }, "", errors);
  const fields = parseFieldSelector(text("fieldSelector"), kind);
  const named =
    info.name === "" ? [] : [{ field: "metadata.name", path: ["metadata", "name"], equal: true, value: info.name }];
  const timeout = numberOf(query, "timeoutSeconds");
  return {
    labels: parseLabelSelector(text("labelSelector")),
    fields: [...fields, ...named],
    limit: Math.max(numberOf(query, "limit") ?? 0, 0),
    continue: text("continue"),
    ...(version === "" ? {} : { revision: Number(version) }),
    ...(match === undefined ? {} : { match }),
    bookmarks: booleanOf(query, "allowWatchBookmarks") ?? false,
    ...(timeout === undefined ? {} : { timeoutSeconds: timeout }),
    ...(sendInitialEvents === undefined ? {} : { sendInitialEvents }),
  };
}

interface Combination {
  readonly version: string;
  readonly asked: string;
  readonly isWatch: boolean;
  readonly continued: boolean;
  readonly sendInitialEvents: boolean | undefined;
}

function checkCombination({
  version,
  asked,
  isWatch,
  continued,
  sendInitialEvents,
}: Combination): readonly FieldError[] {
  const field = "resourceVersionMatch";
  if (isWatch) {
    if (sendInitialEvents === undefined) {
      return asked === ""
        ? []
        : [forbiddenField(field, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")];
    }
    return asked === "NotOlderThan"
      ? []
      : [forbiddenField(field, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")];
  }
  if (sendInitialEvents !== undefined) {
    return [forbiddenField("sendInitialEvents", "sendInitialEvents is forbidden for list")];
  }
  if (asked === "") {
    return continued && version !== "" && version !== "0"
      ? [invalid("resourceVersion", version, "specifying resource version is not allowed when using continue")]
      : [];
  }
  if (version === "")
    return [forbiddenField(field, "resourceVersionMatch is forbidden unless resourceVersion is provided")];
  if (continued) return [forbiddenField(field, "resourceVersionMatch is forbidden when continue is provided")];
  return asked === "Exact" && version === "0"
    ? [forbiddenField(field, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')]
    : [];
}

function booleanOf(query: URLSearchParams, name: string): boolean | undefined {
  switch (query.get(name)) {
    case null:
    case "":
      return undefined;
    case "true":
    case "1":
      return true;
    case "false":
    case "0":
      return false;
    default:
      throw badRequest(`strconv.ParseBool: parsing ${JSON.stringify(query.get(name))}: invalid syntax`);
  }
}

function numberOf(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  if (value === null || value === "") return undefined;
  const fail = (why: string): never => {
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(value)}: ${why}`);
  };
  if (!/^[+-]?\d+$/.test(value)) fail("invalid syntax");
  // Larger numbers are as good as this one.
  return Math.abs(Number(value)) < 2 ** 63 ? Number(value) : fail("value out of range");
}

/** The condition of both selectors. */
export interface Matcher {
  matches(object: CachedObject): boolean;
  /** What looking at an object costs, as if so many of its bytes were read. */
  cost(object: CachedObject): number;
}

/** A term of a selector costs as much as reading so many bytes of an object. */
const TERM_COST = 16;

/** @returns undefined where everything matches */
export function matcherOf({ kind }: ResourceRequest, { labels, fields }: ListOptions): Matcher | undefined {
  if (labels.length === 0 && fields.length === 0) return undefined;
  const terms = (labels.length + fields.length) * TERM_COST;
  return {
    matches: (object) =>
      (labels.length === 0 || matchesLabels(labels, object.labels(kind))) &&
      (fields.length === 0 || matchesFields(fields, object.fields(kind))),
    cost: (object) => terms + (object.isSelectable(kind) ? 0 : object.bytes.length),
  };
}
