import { InvalidArgument } from "@boxship/base";
import { type DbusValue, ValueReader, ValueWriter, type Variant } from "./values.ts";

/** Messages: "Message Format" of the D-Bus specification. */

export const MessageType = { Call: 1, Return: 2, Error: 3, Signal: 4 } as const;
export const NO_REPLY_EXPECTED = 1;

export interface DbusMessage {
  /** {@link MessageType} */
  readonly type: number;
  readonly flags: number;
  readonly serial: number;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly errorName?: string;
  readonly replySerial?: number;
  readonly destination?: string;
  readonly sender?: string;
  /** Of the body. @default empty */
  readonly signature?: string;
  /** How many descriptors come with it. @default 0 */
  readonly descriptorCount?: number;
  readonly body: readonly DbusValue[];
}

/** By their codes. */
const FIELDS = [
  [1, "path", "o"],
  [2, "interface", "s"],
  [3, "member", "s"],
  [4, "errorName", "s"],
  [5, "replySerial", "u"],
  [6, "destination", "s"],
  [7, "sender", "s"],
  [8, "signature", "g"],
  [9, "descriptorCount", "u"],
] as const;

const HEADER = "yyyyuua(yv)";
const FIXED_SIZE = 16;
const VERSION = 1;
const LITTLE = "l".charCodeAt(0);
const BIG = "B".charCodeAt(0);
/** The specification's limit; what is read of buses is far below. */
const LARGEST = 128 << 20;

export function encodeMessage(message: DbusMessage): Buffer {
  const body = new ValueWriter();
  body.write(message.signature ?? "", message.body);
  const fields = FIELDS.flatMap(([code, field, signature]): DbusValue[] => {
    const value = message[field];
    return value === undefined || value === "" ? [] : [[code, { signature, value }]];
  });
  const header = new ValueWriter();
  header.write(HEADER, [LITTLE, message.type, message.flags, VERSION, body.length, message.serial, fields]);
  header.align(8);
  return Buffer.concat([header.bytes(), body.bytes()]);
}

/** The length of the message that these bytes begin with; undefined where that cannot be told yet. @throws InvalidArgument */
export function messageLength(bytes: Buffer): number | undefined {
  if (bytes.length < FIXED_SIZE) return undefined;
  const little = byteOrder(bytes);
  const word = (at: number) => (little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const length = Math.ceil((FIXED_SIZE + word(12)) / 8) * 8 + word(4);
  if (length > LARGEST) throw new InvalidArgument(`a message of D-Bus has ${length} bytes`);
  return length;
}

function byteOrder(bytes: Buffer): boolean {
  if (bytes[0] !== LITTLE && bytes[0] !== BIG) throw new InvalidArgument("this is no message of D-Bus");
  return bytes[0] === LITTLE;
}

/** @param bytes one whole message @throws InvalidArgument */
export function decodeMessage(bytes: Buffer): DbusMessage {
  const little = byteOrder(bytes);
  const reader = new ValueReader(bytes, little);
  const [, type, flags, version, , serial, fields] = reader.read(HEADER);
  if (version !== VERSION) throw new InvalidArgument(`messages of D-Bus ${Number(version)} are not known`);
  const found: Record<string, DbusValue> = {};
  for (const [code, variant] of fields as readonly (readonly [number, Variant])[]) {
    const known = FIELDS.find(([one]) => one === code);
    if (known === undefined) continue;
    if (variant.signature !== known[2]) throw new InvalidArgument(`${known[1]} of a D-Bus message has another type`);
    found[known[1]] = variant.value;
  }
  reader.align(8);
  const body = reader.read(typeof found["signature"] === "string" ? found["signature"] : "");
  return { type: Number(type), flags: Number(flags), serial: Number(serial), ...found, body };
}
