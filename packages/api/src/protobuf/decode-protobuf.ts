import { parseJson, toInteger } from "../object/big-integer.ts";
import { isObject, type Json, type JsonObject, setField } from "../object/json.ts";
import { MOST_FIELDS, MOST_OBJECTS } from "../object/limits.ts";
import { definition, definitionNames } from "../schema/definitions.ts";
import { badRequest, failure } from "../status/failures.ts";
import { MAGIC, type MessageField, messageOf } from "./messages.ts";
import { type WireField, WireReader } from "./wire-reader.ts";
import { dropsEmpty } from "./zero-values.ts";

const DEEPEST = 100;

/**
 * A body in Kubernetes' protobuf encoding (`k8s\0` and a `runtime.Unknown`) as the JSON object that it stands for.
 *
 * @param message the definition of the kind that is expected, e.g. `core.v1.Pod`
 * @param largest bytes that the object may have as JSON, as far as that is seen on the way: a few bytes may stand for many
 * @throws BadRequest, InvalidArgument, RequestEntityTooLarge
 */
export function decodeProtobuf(message: string, body: Buffer, largest = Number.POSITIVE_INFINITY): JsonObject {
  if (!body.subarray(0, 4).equals(MAGIC)) throw badRequest("provided data does not appear to be a protobuf message");
  let content = Buffer.alloc(0);
  let type: JsonObject = {};
  for (const field of new WireReader(body.subarray(4)).fields()) {
    if (field.type !== "bytes") continue;
    if (field.number === 1) type = typeMeta(field.bytes);
    else if (field.number === 2) content = Buffer.from(field.bytes);
    else if (field.number === 3 && field.bytes.length > 0)
      throw badRequest("encoded protobuf contents are not supported");
  }
  return { ...type, ...decodeMessage(message, content, { depth: 0, room: new Room(largest) }) };
}

function typeMeta(bytes: Buffer): JsonObject {
  const type: JsonObject = {};
  for (const field of new WireReader(bytes).fields()) {
    if (field.type === "bytes") type[field.number === 1 ? "apiVersion" : "kind"] = field.bytes.toString("utf8");
  }
  return type;
}

interface Look {
  readonly depth: number;
  readonly room: Room;
}

const deeper = ({ depth, room }: Look): Look => ({ depth: depth + 1, room });

/** Bytes and objects that may still come. */
class Room {
  readonly #largest: number;
  #bytes = 0;
  #objects = 0;

  constructor(largest: number) {
    this.#largest = largest;
  }

  take(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#largest) throw tooLarge(`the object has more than ${this.#largest} bytes`);
  }

  object(): void {
    if (++this.#objects > MOST_OBJECTS) throw tooLarge(`there are more than ${MOST_OBJECTS} objects in it`);
  }
}

const tooLarge = (why: string): Error => failure("RequestEntityTooLarge", `Request entity too large: ${why}`);

function decodeMessage(message: string, bytes: Buffer, look: Look): JsonObject {
  if (look.depth > DEEPEST) throw badRequest("exceeded max depth");
  const { byNumber } = messageOf(message);
  const object: JsonObject = {};
  look.room.object();
  let entries = 0;
  for (const wire of new WireReader(bytes).fields()) {
    const field = byNumber.get(wire.number);
    // As JSON, an item has its comma and its quotes or brackets.
    look.room.take(field?.kind === "list" || field?.kind === "map" ? 3 : 1);
    if (field === undefined) continue;
    if (field.kind === "map" && ++entries > MOST_FIELDS)
      throw tooLarge(`an object has more than ${MOST_FIELDS} fields`);
    if (field.kind === "map") addEntry(object, field, wire, look);
    else addValue(message, object, field, decodeValue(field.type, wire, look));
  }
  return object;
}

function addValue(message: string, object: JsonObject, field: MessageField, value: Json | undefined): void {
  const { name, kind } = field;
  if (value === undefined) return;
  if (name === "*") {
    if (isObject(value)) for (const [below, item] of Object.entries(value)) setField(object, below, item ?? null);
  } else if (kind === "list") {
    const list = object[name];
    if (Array.isArray(list)) list.push(value);
    else object[name] = [value];
  } else if (field.optional || !isDropped(message, name, value)) object[name] = value;
}

/** Go writes zeros of fields that are not pointers; JSON does not have them where they are not required. */
function isDropped(message: string, name: string, value: Json): boolean {
  if (isObject(value)) return Object.keys(value).length === 0 && dropsEmpty(name);
  return (value === "" || value === 0 || value === false) && !isRequired(message, name);
}

const known = new Set(definitionNames());

const isRequired = (message: string, name: string): boolean =>
  known.has(message) && definition(message).required?.includes(name) === true;

function addEntry(object: JsonObject, { name, type }: MessageField, wire: WireField, look: Look): void {
  if (wire.type !== "bytes") return;
  let key = "";
  let value: Json | undefined;
  for (const part of new WireReader(wire.bytes).fields()) {
    if (part.number === 1 && part.type === "bytes") key = part.bytes.toString("utf8");
    else if (part.number === 2) value = decodeValue(type, part, look);
  }
  const map = isObject(object[name]) ? object[name] : {};
  setField(map, key, value ?? (type === "s" || type === "y" ? "" : {}));
  object[name] = map;
}

function decodeValue(type: string, wire: WireField, look: Look): Json | undefined {
  if (wire.type === "bytes" && !type.startsWith("#")) look.room.take(wire.bytes.length);
  if (type.startsWith("#"))
    return wire.type === "bytes" ? decodeNamed(type.slice(1), wire.bytes, deeper(look)) : undefined;
  switch (type) {
    case "s":
      return wire.type === "bytes" ? wire.bytes.toString("utf8") : undefined;
    case "y":
      return wire.type === "bytes" ? wire.bytes.toString("base64") : undefined;
    case "b":
      return wire.type === "varint" ? wire.bits !== 0n : undefined;
    case "i":
      return wire.type === "varint" ? toInteger(BigInt.asIntN(64, wire.bits)) : undefined;
    default:
      return wire.type === "fixed64" ? toDouble(wire.bits) : undefined;
  }
}

function toDouble(bits: bigint): number {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(bits);
  return bytes.readDoubleLE();
}

/** Messages that JSON has another form for. */
function decodeNamed(message: string, bytes: Buffer, look: Look): Json | undefined {
  switch (message) {
    case "meta.v1.Time":
    case "meta.v1.MicroTime":
      return time(numbers(bytes), message === "meta.v1.MicroTime");
    case "resource.Quantity":
      return text(bytes, 1) || "0";
    case "intstr.IntOrString": {
      const [type = 0, value = 0] = numbers(bytes);
      return type === 0 ? value : text(bytes, 3);
    }
    case "runtime.RawExtension":
    case "apiextensions.v1.JSON":
    case "meta.v1.FieldsV1":
      return embeddedJson(raw(bytes, 1));
    case "apiextensions.v1.JSONSchemaPropsOrArray":
    case "apiextensions.v1.JSONSchemaPropsOrBool":
    case "apiextensions.v1.JSONSchemaPropsOrStringArray":
      return schemaOr(decodeMessage(message, bytes, look));
    case "authentication.v1.ExtraValue":
    case "authorization.v1.ExtraValue":
    case "certificates.v1.ExtraValue":
    case "meta.v1.Verbs":
      return decodeMessage(message, bytes, look)["items"] ?? [];
    default:
      return decodeMessage(message, bytes, look);
  }
}

function schemaOr({ schema, jSONSchemas, property, allows }: JsonObject): Json {
  return jSONSchemas ?? property ?? schema ?? allows ?? false;
}

function numbers(bytes: Buffer): number[] {
  const found: number[] = [];
  for (const field of new WireReader(bytes).fields()) {
    if (field.type === "varint") found[field.number - 1] = Number(BigInt.asIntN(64, field.bits));
  }
  return found;
}

function raw(bytes: Buffer, number: number): Buffer {
  for (const field of new WireReader(bytes).fields())
    if (field.number === number && field.type === "bytes") return field.bytes;
  return Buffer.alloc(0);
}

const text = (bytes: Buffer, number: number): string => raw(bytes, number).toString("utf8");

function embeddedJson(bytes: Buffer): Json | undefined {
  if (bytes.length === 0) return undefined;
  try {
    return parseJson(bytes.toString("utf8"));
  } catch {
    throw badRequest("an embedded object is no JSON");
  }
}

/** Nothing for the time that Go's zero is. */
function time([seconds, nanos = 0]: number[], micro: boolean): string | undefined {
  if (seconds === undefined && nanos === 0) return undefined;
  const date = new Date((seconds ?? 0) * 1000);
  if (Number.isNaN(date.getTime())) throw badRequest("a time is out of range");
  const whole = date.toISOString().slice(0, 19);
  return micro ? `${whole}.${String(Math.trunc(nanos / 1000)).padStart(6, "0")}Z` : `${whole}Z`;
}
