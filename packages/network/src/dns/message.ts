import { addressBytes } from "@boxship/kernel";

/**
 * As much of the DNS message format (RFC 1035, RFC 6891 for sizes) as a resolver needs that answers for a few names and
 * passes the rest on untouched: reading a question, and writing an answer to it.
 */

export const RecordType = { A: 1, PTR: 12, AAAA: 28, OPT: 41, ANY: 255 } as const;
export const ResponseCode = { NoError: 0, FormatError: 1, ServerFailure: 2, NameError: 3, NotImplemented: 4 } as const;

const HEADER = 12;
const CLASS_INTERNET = 1;
const POINTER_TO_QUESTION = 0xc000 | HEADER;
const FLAG_RESPONSE = 0x8000;
const FLAG_TRUNCATED = 0x0200;
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
}

/** A record about the name in question. */
export type AnswerRecord =
  | { readonly type: "address"; readonly address: string; readonly ttl: number }
  | { readonly type: "pointer"; readonly name: string; readonly ttl: number };

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
export function encodeAnswer(question: Question, answer: Answer, limit?: number): Buffer {
  const records = answer.records.map(encodeRecord);
  const opt = question.edns ? optRecord() : Buffer.alloc(0);
  const size = question.end + opt.length + records.reduce((sum, record) => sum + record.length, 0);
  const truncated = limit !== undefined && size > limit;
  const kept = truncated ? [] : records;
  const head = Buffer.from(question.message.subarray(0, question.end));
  const asked = question.message.readUInt16BE(2) & FLAG_RECURSION_DESIRED;
  const flags = FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | asked | (truncated ? FLAG_TRUNCATED : 0) | answer.code;
  head.writeUInt16BE(flags, 2);
  head.writeUInt16BE(kept.length, 6);
  head.writeUInt16BE(0, 8);
  head.writeUInt16BE(question.edns ? 1 : 0, 10);
  return Buffer.concat([head, ...kept, opt]);
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
  const data = record.type === "address" ? addressBytes(record.address) : encodeName(record.name);
  const type = record.type === "pointer" ? RecordType.PTR : data.length === 4 ? RecordType.A : RecordType.AAAA;
  const bytes = Buffer.alloc(12 + data.length);
  bytes.writeUInt16BE(POINTER_TO_QUESTION, 0);
  bytes.writeUInt16BE(type, 2);
  bytes.writeUInt16BE(CLASS_INTERNET, 4);
  bytes.writeUInt32BE(record.ttl, 6);
  bytes.writeUInt16BE(data.length, 10);
  bytes.set(data, 12);
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
