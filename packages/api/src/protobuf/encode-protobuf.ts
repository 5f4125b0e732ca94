import { isBigInteger } from "../object/big-integer.ts";
import { isObject, type Json, type JsonObject } from "../object/json.ts";
import { textAt } from "../object/kube-object.ts";
import { BackwardWriter } from "./backward-writer.ts";
import { MAGIC, type MessageField, messageOf } from "./messages.ts";

/** Writers are used again: most messages are small. */
const shared = new BackwardWriter(64 * 1024);

/**
 * An object in Kubernetes' protobuf encoding: `k8s\0` and a `runtime.Unknown` with its type and its bytes. Fields are
 * written that the object has, zeros too: what is left out is what Go would leave out of JSON.
 *
 * @param message the object's definition, e.g. `core.v1.Pod`
 */
export function encodeProtobuf(message: string, object: JsonObject): Buffer {
  return wrapProtobuf(object, encodeMessage(message, object));
}

/** The bytes of a message, as they stand in others. */
export function encodeMessage(message: string, object: JsonObject): Buffer {
  shared.clear();
  writeMessage(shared, message, object);
  return shared.take();
}

/** A message as it stands in another's field, with its tag and its length before it. */
export interface EncodedField {
  readonly field: Buffer;
  /** The message alone. */
  readonly message: Buffer;
}

export function encodeField(number: number, message: string, object: JsonObject): EncodedField {
  shared.clear();
  writeMessage(shared, message, object);
  const { length } = shared;
  shared.varint(length);
  shared.tag(number, 2);
  const field = shared.take();
  return { field, message: field.subarray(field.length - length) };
}

/** The bytes of a message with the type that says what they are. */
export function wrapProtobuf(
  type: { readonly apiVersion?: Json; readonly kind?: Json },
  ...raw: readonly Uint8Array[]
): Buffer {
  return Buffer.concat(protobufParts(type, raw));
}

/** The same in parts. */
export function protobufParts(
  { apiVersion, kind }: { readonly apiVersion?: Json; readonly kind?: Json },
  raw: readonly Uint8Array[],
): readonly Uint8Array[] {
  // contentEncoding and contentType, which are empty.
  const end = Buffer.of(0x1a, 0, 0x22, 0);
  shared.varint(raw.reduce((sum, { length }) => sum + length, 0));
  shared.tag(2, 2);
  const before = shared.length;
  writeText(shared, 2, typeof kind === "string" ? kind : "");
  writeText(shared, 1, typeof apiVersion === "string" ? apiVersion : "");
  shared.varint(shared.length - before);
  shared.tag(1, 2);
  shared.bytes(MAGIC);
  return [shared.take(), ...raw, end];
}

/** A field with a length before it: how an item stands in its list, or an object in an event. */
export function lengthPrefix(number: number, length: number): Buffer {
  shared.varint(length);
  shared.tag(number, 2);
  return shared.take();
}

function writeText(writer: BackwardWriter, number: number, text: string): void {
  writer.varint(writer.text(text));
  writer.tag(number, 2);
}

function writeMessage(writer: BackwardWriter, message: string, object: JsonObject): void {
  for (const field of messageOf(message).reversed) {
    if (field.name === "*") {
      writeInside(writer, field.number, () => writeMessage(writer, field.message ?? "", object), true);
      continue;
    }
    const value = Object.hasOwn(object, field.name) ? object[field.name] : undefined;
    if (value === undefined || value === null) continue;
    if (field.kind === "one") writeValue(writer, field, value);
    else if (field.kind === "list") writeList(writer, field, value);
    else writeMap(writer, field, value);
  }
}

function writeList(writer: BackwardWriter, field: MessageField, value: Json): void {
  if (!Array.isArray(value)) return;
  for (let at = value.length - 1; at >= 0; at--) writeValue(writer, field, value[at] ?? null);
}

function writeMap(writer: BackwardWriter, field: MessageField, value: Json): void {
  if (!isObject(value)) return;
  for (const key of Object.keys(value).toSorted().reverse()) {
    writeInside(writer, field.number, () => {
      writeValue(writer, { ...field, number: 2 }, value[key] ?? null);
      writeText(writer, 1, key);
    });
  }
}

/** @param unlessEmpty nothing is written where nothing is inside */
function writeInside(writer: BackwardWriter, number: number, inside: () => void, unlessEmpty = false): void {
  const before = writer.length;
  inside();
  const length = writer.length - before;
  if (length === 0 && unlessEmpty) return;
  writer.varint(length);
  writer.tag(number, 2);
}

function writeValue(writer: BackwardWriter, { number, type, message }: MessageField, value: Json): void {
  if (message !== undefined) {
    writeInside(writer, number, () => writeNamed(writer, message, value));
    return;
  }
  switch (type) {
    case "s":
      writeText(writer, number, textAt(value));
      return;
    case "y": {
      const bytes = Buffer.from(textAt(value), "base64");
      writer.bytes(bytes);
      writer.varint(bytes.length);
      writer.tag(number, 2);
      return;
    }
    case "b":
      writer.varint(value === true ? 1 : 0);
      writer.tag(number, 0);
      return;
    case "i":
      writer.integer(isBigInteger(value) ? value.value : Number(value));
      writer.tag(number, 0);
      return;
    default:
      writer.double(Number(value));
      writer.tag(number, 1);
  }
}

function writeInteger(writer: BackwardWriter, number: number, value: number): void {
  writer.integer(value);
  writer.tag(number, 0);
}

/** Messages that JSON has another form for. */
function writeNamed(writer: BackwardWriter, message: string, value: Json): void {
  switch (message) {
    case "meta.v1.Time":
    case "meta.v1.MicroTime": {
      const [seconds, nanos] = timeOf(textAt(value));
      writeInteger(writer, 2, message === "meta.v1.Time" ? 0 : nanos);
      writeInteger(writer, 1, seconds);
      return;
    }
    case "resource.Quantity":
      writeText(writer, 1, textAt(value));
      return;
    case "intstr.IntOrString":
      writeText(writer, 3, typeof value === "string" ? value : "");
      writeInteger(writer, 2, typeof value === "number" ? value : 0);
      writeInteger(writer, 1, typeof value === "string" ? 1 : 0);
      return;
    case "runtime.RawExtension":
    case "apiextensions.v1.JSON":
    case "meta.v1.FieldsV1":
      writeText(writer, 1, JSON.stringify(value));
      return;
    case "authentication.v1.ExtraValue":
    case "authorization.v1.ExtraValue":
    case "certificates.v1.ExtraValue":
    case "meta.v1.Verbs":
      writeMessage(writer, message, { items: value });
      return;
    case "apiextensions.v1.JSONSchemaPropsOrArray":
      writeMessage(writer, message, Array.isArray(value) ? { jSONSchemas: value } : { schema: value });
      return;
    case "apiextensions.v1.JSONSchemaPropsOrBool":
      writeMessage(writer, message, isObject(value) ? { allows: true, schema: value } : { allows: value });
      return;
    case "apiextensions.v1.JSONSchemaPropsOrStringArray":
      writeMessage(writer, message, Array.isArray(value) ? { property: value } : { schema: value });
      return;
    default:
      if (isObject(value)) writeMessage(writer, message, value);
  }
}

function timeOf(text: string): readonly [seconds: number, nanos: number] {
  const milliseconds = Date.parse(text);
  if (Number.isNaN(milliseconds)) return [0, 0];
  const fraction = /\.(\d{1,9})/.exec(text)?.[1] ?? "";
  return [Math.floor(milliseconds / 1000), Number(fraction.padEnd(9, "0"))];
}
