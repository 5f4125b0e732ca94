import { addressBytes } from "@boxship/kernel";

/**
 * As much of the DNS message format (RFC 1035, RFC 2782 for services, RFC 6891 for sizes) as a resolver needs that answers for
 * a few names and passes the rest on: reading a question, writing an answer to it, and reading what others answered as far as
 * who keeps it, or follows aliases in it, has to know.
 */

export const RecordType = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  ANY: 255,
} as const;
export const ResponseCode = { NoError: 0, FormatError: 1, ServerFailure: 2, NameError: 3, NotImplemented: 4 } as const;

const HEADER = 12;
const CLASS_INTERNET = 1;
const POINTER_TO_QUESTION = 0xc000 | HEADER;
const FLAG_RESPONSE = 0x8000;
const FLAG_AUTHORITATIVE = 0x0400;
const FLAG_TRUNCATED = 0x0200;
const CODE_MASK = 0x000f;
const FLAG_RECURSION_DESIRED = 0x0100;
const FLAG_RECURSION_AVAILABLE = 0x0080;
const OPCODE_MASK = 0x7800;
const SMALLEST_UDP = 512;

export interface Question {
  /** The whole message. */
  readonly message: Buffer;
  readonly id: number;
  /** Without the final dot, in lower case. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** Where the question ends in the message. */
  readonly end: number;
  /** The largest UDP answer the client takes. */
  readonly udpSize: number;
  readonly edns: boolean;
}

export interface Answer {
  readonly code: number;
  readonly records: readonly AnswerRecord[];
  /** Who answers for the zone. @default none */
  readonly authority?: readonly AnswerRecord[];
  /** What will be asked next; left out where it does not fit. @default none */
  readonly additional?: readonly AnswerRecord[];
  /** The names are ours to tell of. @default false */
  readonly authoritative?: boolean;
}

/** A record about `owner`: without one, about the name in question. */
export type AnswerRecord = { readonly ttl: number; readonly owner?: string } & RecordData;

type RecordData =
  | { readonly type: "address"; readonly address: string }
  | { readonly type: "pointer" | "alias" | "server"; readonly name: string }
  | {
      readonly type: "service";
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly name: string;
    }
  | { readonly type: "text"; readonly text: string }
  | {
      readonly type: "start";
      readonly server: string;
      readonly mailbox: string;
      readonly serial: number;
      /** Seconds for which a name that is not there may be remembered. */
      readonly minimum: number;
    };

/** The single question of a query; undefined for what is no query with one question. Never throws. */
export function parseQuestion(message: Buffer): Question | undefined {
  if (message.length < HEADER) return undefined;
  const flags = message.readUInt16BE(2);
  if ((flags & (FLAG_RESPONSE | OPCODE_MASK)) !== 0 || message.readUInt16BE(4) !== 1) return undefined;
  const parsed = parseName(message, HEADER);
  if (parsed === undefined || parsed.end + 4 > message.length) return undefined;
  const end = parsed.end + 4;
  const size = ednsSize(message, end);
  return {
    message,
    id: message.readUInt16BE(0),
    name: parsed.name,
    type: message.readUInt16BE(parsed.end),
    class: message.readUInt16BE(parsed.end + 2),
    end,
    udpSize: Math.max(size ?? 0, SMALLEST_UDP),
    edns: size !== undefined,
  };
}

/** A name without compression, which questions have no use for. */
function parseName(message: Buffer, start: number): { readonly name: string; readonly end: number } | undefined {
  const labels: string[] = [];
  let offset = start;
  for (;;) {
    const length = message[offset];
    if (length === undefined || length > 63 || offset - start > 255) return undefined;
    offset++;
    if (length === 0) return { name: labels.join(".").toLowerCase(), end: offset };
    if (offset + length > message.length) return undefined;
    labels.push(message.toString("latin1", offset, offset + length));
    offset += length;
  }
}

/** The size in an OPT record, when it is the first additional record, where every resolver library puts it. */
function ednsSize(message: Buffer, offset: number): number | undefined {
  const hasOthers = message.readUInt16BE(6) !== 0 || message.readUInt16BE(8) !== 0;
  if (hasOthers || message.readUInt16BE(10) === 0 || offset + 11 > message.length) return undefined;
  if (message[offset] !== 0 || message.readUInt16BE(offset + 1) !== RecordType.OPT) return undefined;
  return message.readUInt16BE(offset + 3);
}

/** Whether a question is about the internet class, the only one with names. */
export function isInternet(question: Question): boolean {
  return question.class === CLASS_INTERNET;
}

/** An answer from us. Cut to what fits, and marked so, when `limit` is given. */
export function encodeAnswer(question: Question, answer: Answer, limit = Number.POSITIVE_INFINITY): Buffer {
  const records = answer.records.map(encodeRecord);
  const authority = (answer.authority ?? []).map(encodeRecord);
  const additional = (answer.additional ?? []).map(encodeRecord);
  const opt = question.edns ? [optRecord()] : [];
  const sizeOf = (parts: readonly Buffer[]): number => parts.reduce((sum, part) => sum + part.length, 0);
  const size = question.end + sizeOf([...records, ...authority, ...opt]);
  const truncated = size > limit;
  const told = truncated ? [] : [...records, ...authority];
  const more = truncated || size + sizeOf(additional) > limit ? [] : additional;
  const head = Buffer.from(question.message.subarray(0, question.end));
  const asked = question.message.readUInt16BE(2) & FLAG_RECURSION_DESIRED;
  const own = answer.authoritative === true ? FLAG_AUTHORITATIVE : 0;
  const cut = truncated ? FLAG_TRUNCATED : 0;
  head.writeUInt16BE(FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | asked | own | cut | answer.code, 2);
  head.writeUInt16BE(truncated ? 0 : records.length, 6);
  head.writeUInt16BE(truncated ? 0 : authority.length, 8);
  head.writeUInt16BE(more.length + opt.length, 10);
  return Buffer.concat([head, ...told, ...more, ...opt]);
}

/** The answer to a message that is no question of ours, or undefined when nothing can be made of it. */
export function encodeFailure(message: Buffer, code: number): Buffer | undefined {
  if (message.length < HEADER || (message.readUInt16BE(2) & FLAG_RESPONSE) !== 0) return undefined;
  const head = Buffer.alloc(HEADER);
  head.writeUInt16BE(message.readUInt16BE(0), 0);
  head.writeUInt16BE(FLAG_RESPONSE | (message.readUInt16BE(2) & OPCODE_MASK) | code, 2);
  return head;
}

function encodeRecord(record: AnswerRecord): Buffer {
  const data = encodeData(record);
  const owner = record.owner === undefined ? QUESTION : encodeName(record.owner);
  const bytes = Buffer.alloc(owner.length + 10 + data.length);
  bytes.set(owner, 0);
  bytes.writeUInt16BE(typeOf(record, data), owner.length);
  bytes.writeUInt16BE(CLASS_INTERNET, owner.length + 2);
  bytes.writeUInt32BE(record.ttl, owner.length + 4);
  bytes.writeUInt16BE(data.length, owner.length + 8);
  bytes.set(data, owner.length + 10);
  return bytes;
}

/** A pointer to the name in question. */
const QUESTION = Buffer.of(POINTER_TO_QUESTION >> 8, POINTER_TO_QUESTION & 0xff);

const TYPES = {
  pointer: RecordType.PTR,
  alias: RecordType.CNAME,
  server: RecordType.NS,
  service: RecordType.SRV,
  text: RecordType.TXT,
  start: RecordType.SOA,
} as const;

function typeOf({ type }: AnswerRecord, data: Buffer): number {
  if (type !== "address") return TYPES[type];
  return data.length === 4 ? RecordType.A : RecordType.AAAA;
}

function encodeData(record: AnswerRecord): Buffer {
  switch (record.type) {
    case "address":
      return addressBytes(record.address);
    case "text": {
      const text = Buffer.from(record.text).subarray(0, 255);
      return Buffer.concat([Buffer.of(text.length), text]);
    }
    case "service":
      return Buffer.concat([words(record.priority, record.weight, record.port), encodeName(record.name)]);
    case "start": {
      const times = Buffer.alloc(20);
      const { serial, minimum } = record;
      for (const [index, value] of [serial, REFRESH, RETRY, EXPIRE, minimum].entries()) {
        times.writeUInt32BE(value >>> 0, index * 4);
      }
      return Buffer.concat([encodeName(record.server), encodeName(record.mailbox), times]);
    }
    default:
      return encodeName(record.name);
  }
}

/** Seconds, of a zone; for secondary servers, of which there are none. */
const REFRESH = 7200;
const RETRY = 1800;
const EXPIRE = 86_400;

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  for (const [index, value] of values.entries()) bytes.writeUInt16BE(value, index * 2);
  return bytes;
}

/** A name in wire format; labels longer than 63 bytes are cut, as no name of ours has them. */
export function encodeName(name: string): Buffer {
  const labels = name.split(".").filter((label) => label !== "");
  return Buffer.concat([
    ...labels.flatMap((label) => {
      const bytes = Buffer.from(label, "latin1").subarray(0, 63);
      return [Buffer.of(bytes.length), bytes];
    }),
    Buffer.of(0),
  ]);
}

function optRecord(): Buffer {
  const bytes = Buffer.alloc(11);
  bytes.writeUInt16BE(RecordType.OPT, 1);
  bytes.writeUInt16BE(1232, 3);
  return bytes;
}

/** Whether an answer says that it was cut. */
export function isTruncated(message: Buffer): boolean {
  return message.length >= HEADER && (message.readUInt16BE(2) & FLAG_TRUNCATED) !== 0;
}

/** Whether `message` is an answer to the query `query` (same id and question, letter case aside). */
export function answers(message: Buffer, query: Buffer, questionEnd: number): boolean {
  if (message.length < HEADER || message.readUInt16BE(0) !== query.readUInt16BE(0)) return false;
  if ((message.readUInt16BE(2) & FLAG_RESPONSE) === 0) return false;
  // Servers that understood nothing may leave the question out.
  if (message.readUInt16BE(4) === 0) return true;
  const lower = (bytes: Buffer): string => bytes.toString("latin1", HEADER, questionEnd).toLowerCase();
  return message.length >= questionEnd && lower(message) === lower(query);
}

/** The address that a reverse name stands for; undefined for another name. */
export function reverseAddress(name: string): string | undefined {
  const four = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/.exec(name);
  if (four !== null) return four.slice(1).reverse().join(".");
  if (!/^([0-9a-f]\.){32}ip6\.arpa$/.test(name)) return undefined;
  const digits = name.slice(0, 63).split(".").reverse().join("");
  return digits.replaceAll(/(.{4})(?=.)/g, "$1:");
}

/** A question of our own, by the rules of another one. */
export function askFor(question: Question, name: string): Question {
  const { message, type } = question;
  const head = Buffer.from(message.subarray(0, HEADER));
  for (const at of [6, 8]) head.writeUInt16BE(0, at);
  head.writeUInt16BE(0, 10);
  const asked = Buffer.concat([head, encodeName(name), words(type, CLASS_INTERNET)]);
  return { ...question, message: asked, name, end: asked.length, edns: false };
}

/** A record of somebody's answer. */
export interface ReceivedRecord {
  /** Without the final dot, in lower case. */
  readonly owner: string;
  readonly type: number;
  readonly ttl: number;
  /** Where the number of its seconds is in the message. */
  readonly ttlAt: number;
  readonly section: "answer" | "authority" | "additional";
  /** The bytes of its value are these of the message. */
  readonly start: number;
  readonly end: number;
}

/** What an answer says; undefined for what is none. Never throws. */
export function parseAnswer(
  message: Buffer,
): { readonly code: number; readonly truncated: boolean; readonly records: readonly ReceivedRecord[] } | undefined {
  if (message.length < HEADER || (message.readUInt16BE(2) & FLAG_RESPONSE) === 0) return undefined;
  let offset = HEADER;
  for (let left = message.readUInt16BE(4); left > 0; left--) {
    const name = parseCompressed(message, offset);
    if (name === undefined) return undefined;
    offset = name.end + 4;
  }
  const records: ReceivedRecord[] = [];
  for (const [section, at] of [["answer", 6] as const, ["authority", 8] as const, ["additional", 10] as const]) {
    for (let left = message.readUInt16BE(at); left > 0; left--) {
      const record = parseRecord(message, offset, section);
      if (record === undefined) return undefined;
      records.push(record);
      offset = record.end;
    }
  }
  return { code: message.readUInt16BE(2) & CODE_MASK, truncated: isTruncated(message), records };
}

function parseRecord(message: Buffer, offset: number, section: ReceivedRecord["section"]): ReceivedRecord | undefined {
  const name = parseCompressed(message, offset);
  if (name === undefined || name.end + 10 > message.length) return undefined;
  const start = name.end + 10;
  const end = start + message.readUInt16BE(name.end + 8);
  if (end > message.length) return undefined;
  const ttlAt = name.end + 4;
  return {
    owner: name.name,
    type: message.readUInt16BE(name.end),
    ttl: message.readUInt32BE(ttlAt),
    ttlAt,
    section,
    start,
    end,
  };
}

const MOST_POINTERS = 64;

/** A name that may go on elsewhere in the message; `end` is where it ends here. */
export function parseCompressed(
  message: Buffer,
  start: number,
): { readonly name: string; readonly end: number } | undefined {
  const labels: string[] = [];
  let end: number | undefined;
  let offset = start;
  for (let jumps = 0, size = 0; jumps <= MOST_POINTERS && size <= 255; ) {
    const length = message[offset];
    if (length === undefined) return undefined;
    if (length === 0) return { name: labels.join(".").toLowerCase(), end: end ?? offset + 1 };
    if ((length & 0xc0) === 0xc0) {
      const low = message[offset + 1];
      if (low === undefined) return undefined;
      end ??= offset + 2;
      offset = ((length & 0x3f) << 8) | low;
      jumps++;
      continue;
    }
    if (length > 63 || offset + 1 + length > message.length) return undefined;
    labels.push(message.toString("latin1", offset + 1, offset + 1 + length));
    offset += 1 + length;
    size += 1 + length;
  }
  return undefined;
}
