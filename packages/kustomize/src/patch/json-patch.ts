import { deepCopy, deepEqual, getField, isObject, type Json, setField } from "@boxship/api";
import { quoteJson } from "@boxship/api/go-json";
import { BuildFailure } from "../failure.ts";

export interface Operation {
  readonly op: string;
  readonly path: string;
  readonly from: string;
  readonly value: Json | undefined;
}

const KINDS = new Set(["add", "remove", "replace", "move", "copy", "test"]);

/** RFC 6902 operations; undefined for what is no list of them. */
export function readOperations(patch: Json): readonly Operation[] | undefined {
  if (!Array.isArray(patch)) return undefined;
  const operations: Operation[] = [];
  for (const one of patch) {
    if (!isObject(one)) return undefined;
    const { op, path, from, value } = one;
    if (typeof op !== "string" || !KINDS.has(op) || typeof path !== "string") return undefined;
    const needsFrom = op === "move" || op === "copy";
    if (needsFrom && typeof from !== "string") return undefined;
    if ((op === "add" || op === "replace") && value === undefined) return undefined;
    operations.push({ op, path, from: typeof from === "string" ? from : "", value });
  }
  return operations;
}

/**
 * Applies operations one after the other. The API server's own are in the api package; here indices count from the end
 * when they are negative, and failures are told as kustomize tells them.
 *
 * @returns a new value; the given one may be used in it
 */
export function applyOperations(document: Json, operations: readonly Operation[]): Json {
  let result = document;
  for (const operation of operations) result = apply(result, operation);
  return result;
}

function apply(document: Json, { op, path, from, value }: Operation): Json {
  switch (op) {
    case "add":
      return add(document, path, deepCopy(value ?? null), op);
    case "remove":
      return remove(document, path, op);
    case "replace":
      return replace(document, path, deepCopy(value ?? null));
    case "move": {
      const moved = lookUp(document, from, `error in move for path: ${sq(last(from))}`, "move");
      return add(remove(document, from, op), path, moved, op);
    }
    case "copy": {
      const copied = lookUp(document, from, `error in copy for from: ${sq(from)}`, "copy");
      return add(document, path, deepCopy(copied), op);
    }
    default:
      return test(document, path, value ?? null);
  }
}

const sq = (text: string): string => `'${text}'`;
const last = (path: string): string => path.split("/").at(-1) ?? "";
const decode = (part: string): string => part.replaceAll("~1", "/").replaceAll("~0", "~");
const MISSING = "missing value";

interface Place {
  readonly parent: Json[] | { [field: string]: Json | undefined };
  readonly key: string;
}

/** Where a path ends; undefined where what should hold it is missing. */
function find(document: Json, path: string): Place | undefined {
  const parts = path.split("/");
  if (parts.length < 2) return undefined;
  let here: Json | undefined = document;
  for (const part of parts.slice(1, -1).map(decode)) here = below(here, part);
  const key = decode(parts.at(-1) ?? "");
  return Array.isArray(here) || isObject(here) ? { parent: here, key } : undefined;
}

function below(value: Json | undefined, part: string): Json | undefined {
  if (Array.isArray(value)) return /^-?\d+$/.test(part) ? value.at(Number(part)) : undefined;
  return isObject(value) ? getField(value, part) : undefined;
}

function add(document: Json, path: string, value: Json, op: string): Json {
  if (path === "") return value;
  const place = find(document, path);
  if (place === undefined)
    throw new BuildFailure(`${op} operation does not apply: doc is missing path: ${quoteJson(path)}: ${MISSING}`);
  const { parent, key } = place;
  if (!Array.isArray(parent)) setField(parent, key, value);
  else {
    const index = key === "-" ? parent.length : toIndex(key, op, path);
    const size = parent.length + 1;
    if (index >= size || index < -size) throw invalidIndex(op, path, index);
    parent.splice(index < 0 ? index + size : index, 0, value);
  }
  return document;
}

function toIndex(key: string, op: string, path: string): number {
  if (/^[-+]?\d+$/.test(key)) return Number(key);
  throw new BuildFailure(
    `error in ${op} for path: ${sq(path)}: value was not a proper array index: ${sq(key)}: strconv.Atoi: parsing ${quoteJson(key)}: invalid syntax`,
  );
}

function invalidIndex(op: string, path: string, index: number): BuildFailure {
  return new BuildFailure(
    `error in ${op} for path: ${sq(path)}: Unable to access invalid index: ${index}: invalid index referenced`,
  );
}

function remove(document: Json, path: string, op: string): Json {
  const missing = (): BuildFailure =>
    new BuildFailure(`${op} operation does not apply: doc is missing path: ${quoteJson(path)}: ${MISSING}`);
  const place = find(document, path);
  if (place === undefined) throw missing();
  const { parent, key } = place;
  if (Array.isArray(parent)) {
    const index = toIndex(key, op, path);
    if (index >= parent.length || index < -parent.length) throw invalidIndex(op, path, index);
    parent.splice(index, 1);
  } else if (getField(parent, key) === undefined) throw missing();
  else delete parent[key];
  return document;
}

function replace(document: Json, path: string, value: Json): Json {
  if (path === "") return value;
  const place = find(document, path);
  if (place === undefined) {
    throw new BuildFailure(`replace operation does not apply: doc is missing path: ${path}: ${MISSING}`);
  }
  const { parent, key } = place;
  if (below(parent, key) === undefined) {
    throw new BuildFailure(`replace operation does not apply: doc is missing key: ${path}: ${MISSING}`);
  }
  if (Array.isArray(parent)) parent.splice(Number(key), 1, value);
  else setField(parent, key, value);
  return document;
}

function lookUp(document: Json, path: string, what: string, op: string): Json {
  const place = find(document, path);
  if (place === undefined) {
    throw new BuildFailure(`${op} operation does not apply: doc is missing from path: ${path}: ${MISSING}`);
  }
  const found = below(place.parent, place.key);
  if (found !== undefined) return found;
  if (!Array.isArray(place.parent)) {
    throw new BuildFailure(`${what}: unable to get nonexistent key: ${place.key}: ${MISSING}`);
  }
  throw new BuildFailure(`${what}: Unable to access invalid index: ${place.key}: invalid index referenced`);
}

function test(document: Json, path: string, value: Json): Json {
  const place = find(document, path);
  const found = path === "" ? document : place && below(place.parent, place.key);
  if (!deepEqual(found ?? null, value)) throw new BuildFailure(`testing value ${path} failed: test failed`);
  return document;
}
