import { deepCopy, deepEqual, getField, isObject, type Json, setField } from "../object/json.ts";
import { badRequest, failure } from "../status/failures.ts";

/** Operations of one patch, and bytes that its copies may add: a few of them could double a document for ever. */
const MOST_OPERATIONS = 10_000;
const MOST_COPIED = 3 * 2 ** 20;

interface Operation {
  readonly op: string;
  readonly path: readonly string[];
  readonly from: readonly string[];
  readonly value: Json;
}

/**
 * RFC 6902.
 *
 * @returns a new value; the given one may be used in it
 * @throws BadRequest for what is no patch, Invalid where it does not apply
 */
export function applyJsonPatch(document: Json, patch: Json): Json {
  const steps = patched(document, patch);
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** Items of arrays that operations move in one turn. */
const MOVED_AT_ONCE = 10_000_000;

/** The same; of what takes long, in turns. @param turn lets others have theirs */
export async function applyJsonPatchInTurns(document: Json, patch: Json, turn: () => Promise<void>): Promise<Json> {
  const steps = patched(document, patch);
  let moved = 0;
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    moved += value;
    if (moved < MOVED_AT_ONCE) continue;
    moved = 0;
    await turn();
  }
}

/** Yields after each operation about how many items it has moved or looked at. */
function* patched(document: Json, patch: Json): Generator<number, Json> {
  if (!Array.isArray(patch))
    throw badRequest("error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch");
  if (patch.length > MOST_OPERATIONS) {
    throw failure(
      "RequestEntityTooLarge",
      `The allowed maximum operations in a JSON patch is ${MOST_OPERATIONS}, got ${patch.length}`,
    );
  }
  let result = document;
  let copied = 0;
  for (const one of patch) {
    const operation = parseOperation(one);
    if (operation.op === "copy") {
      copied += JSON.stringify(lookUp(result, operation.from) ?? null).length;
      if (copied > MOST_COPIED) {
        const why = `Unable to complete the copy, the accumulated size increase of copy is ${copied}, exceeding the limit ${MOST_COPIED}`;
        throw failure("RequestEntityTooLarge", why);
      }
    }
    const size = lengthAt(result, operation.path) + lengthAt(result, operation.from);
    result = applyOne(result, operation);
    yield size;
  }
  return result;
}

/** Of the list that an item is in, or that is there itself. */
function lengthAt(document: Json, path: readonly string[]): number {
  if (path.length === 0) return 0;
  const parent = lookUp(document, path.slice(0, -1));
  if (Array.isArray(parent)) return parent.length;
  const here = isObject(parent) ? getField(parent, path.at(-1) ?? "") : undefined;
  return Array.isArray(here) ? here.length : 0;
}

function parseOperation(one: Json): Operation {
  if (!isObject(one) || typeof one["op"] !== "string" || typeof one["path"] !== "string") {
    throw badRequest("error decoding patch: every operation has an op and a path");
  }
  const { op, path, from } = one;
  return { op, path: pointer(path), from: typeof from === "string" ? pointer(from) : [], value: one["value"] ?? null };
}

/** RFC 6901. */
function pointer(text: string): readonly string[] {
  if (text === "") return [];
  if (!text.startsWith("/"))
    throw badRequest(`error decoding patch: path ${JSON.stringify(text)} does not begin with /`);
  return text
    .slice(1)
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

const refuse = (why: string): Error =>
  failure("Invalid", `the server rejected our request due to an error in our request: ${why}`, {});

function applyOne(document: Json, { op, path, from, value }: Operation): Json {
  switch (op) {
    case "add":
      return add(document, path, deepCopy(value));
    case "remove":
      return remove(document, path);
    case "replace":
      find(document, path, op);
      return path.length === 0 ? deepCopy(value) : add(remove(document, path), path, deepCopy(value));
    case "move": {
      const moved = find(document, from, op);
      if (path.length > from.length && from.every((part, index) => part === path[index]))
        throw refuse("a value cannot move into itself");
      return add(remove(document, from), path, moved);
    }
    case "copy":
      return add(document, path, deepCopy(find(document, from, op)));
    case "test":
      if (!deepEqual(lookUp(document, path) ?? null, value)) throw refuse(`testing value /${path.join("/")} failed`);
      return document;
    default:
      throw badRequest(`error decoding patch: unexpected kind: ${op}`);
  }
}

function lookUp(document: Json, path: readonly string[]): Json | undefined {
  let here: Json | undefined = document;
  for (const part of path) {
    if (Array.isArray(here)) here = /^(0|[1-9]\d*)$/.test(part) ? here[Number(part)] : undefined;
    else if (isObject(here)) here = getField(here, part);
    else return undefined;
  }
  return here;
}

function find(document: Json, path: readonly string[], op: string): Json {
  const found = lookUp(document, path);
  if (found === undefined)
    throw refuse(`${op} operation does not apply: doc is missing path: /${path.join("/")}: missing value`);
  return found;
}

function add(document: Json, path: readonly string[], value: Json): Json {
  const last = path.at(-1);
  if (last === undefined) return value;
  const parent = lookUp(document, path.slice(0, -1));
  if (Array.isArray(parent)) {
    const index = last === "-" ? parent.length : Number(last);
    if (!/^(-|0|[1-9]\d*)$/.test(last) || index > parent.length)
      throw refuse(`add operation does not apply: index out of bounds: /${path.join("/")}`);
    parent.splice(index, 0, value);
  } else if (isObject(parent)) setField(parent, last, value);
  else throw refuse(`add operation does not apply: doc is missing path: "/${path.join("/")}": missing value`);
  return document;
}

function remove(document: Json, path: readonly string[]): Json {
  const last = path.at(-1);
  if (last === undefined) return null;
  find(document, path, "remove");
  const parent = lookUp(document, path.slice(0, -1));
  if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else if (isObject(parent)) delete parent[last];
  return document;
}
