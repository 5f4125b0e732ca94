import { NetlinkWriter } from "../netlink/attributes.ts";
import { MessageFlag } from "../netlink/message.ts";
import type { NetlinkRequest } from "../netlink/socket.ts";
import { fieldSizes, fieldsByteOrder, fieldsSize, fieldsType, type NftField } from "./fields.ts";
import { NFT_GOTO, type NftStatement, writeStatements, writeVerdict } from "./statement.ts";

/**
 * Commands of a transaction, as plain data that can be sent between threads, and the messages of nfnetlink that they
 * become (`linux/netfilter/nf_tables.h`).
 */

export interface NftTable {
  readonly family: "inet" | "ip" | "ip6";
  readonly name: string;
}

export interface NftSet {
  readonly name: string;
  readonly key: readonly NftField[];
  /** A map's values; `verdict`: chains to go on in. */
  readonly data?: readonly NftField[] | "verdict";
  /** Elements are ranges. @default false */
  readonly interval?: boolean;
  /** Rules add elements, which time out: so many at most. @default elements are added by commands alone */
  readonly dynamic?: number;
}

export type NftHook = "prerouting" | "input" | "forward" | "output" | "postrouting";

/** Where a chain is called; its policy is to accept. */
export interface NftBase {
  readonly type: "filter" | "nat";
  readonly hook: NftHook;
  readonly priority: number;
}

/** One element. In a set of intervals `key` to `end` (the last that belongs to it), else `key` alone. */
export interface NftElement {
  readonly key: Uint8Array;
  readonly end?: Uint8Array;
  /** In a map. */
  readonly data?: Uint8Array;
  /** In a map of verdicts: the chain to go on in. */
  readonly goto?: string;
}

/** What an element is added to or deleted from. */
export interface NftElementOf {
  readonly table: NftTable;
  readonly set: NftSet;
  readonly element: NftElement;
}

/** `add` leaves alone what is there already; `delete` fails where there is nothing. */
export type NftCommand =
  | { readonly verb: "add-table"; readonly table: NftTable }
  | { readonly verb: "delete-table"; readonly table: NftTable }
  | { readonly verb: "add-set"; readonly table: NftTable; readonly set: NftSet }
  | { readonly verb: "add-chain"; readonly table: NftTable; readonly chain: string; readonly base?: NftBase }
  | {
      readonly verb: "add-rule";
      readonly table: NftTable;
      readonly chain: string;
      readonly statements: readonly NftStatement[];
    }
  | ElementCommand;

type ElementCommand = { readonly verb: "add-element" | "delete-element" } & NftElementOf;

export const NFTABLES_SUBSYSTEM = 10;
const MESSAGE = {
  newTable: 0,
  deleteTable: 2,
  newChain: 3,
  newRule: 6,
  newSet: 9,
  newElement: 12,
  deleteElement: 14,
} as const;
export const NFTABLES_FAMILY = { inet: 1, ip: 2, ip6: 10 } as const;
export const NFTABLES_HOOKS: readonly NftHook[] = ["prerouting", "input", "forward", "output", "postrouting"];
/** Of at most some hundred bytes each: an attribute ends at 64 KiB. */
const ELEMENTS_AT_ONCE = 200;
const LIST_ELEMENT = 1;
const DATA_VALUE = 1;
const SET_FLAG = { interval: 4, map: 8, timeout: 0x10, dynamic: 0x20, concatenation: 0x80 } as const;
const SET_DESCRIPTION = { size: 1, fields: 2 } as const;
const VERDICT_TYPE = 0xffffff00;
const KEY_BYTE_ORDER = 0;
const DATA_BYTE_ORDER = 1;
const ELEMENT = { key: 1, data: 2, flags: 3, keyEnd: 10 } as const;
const INTERVAL_END = 1;

/**
 * The messages of a transaction. Elements that follow each other and go to the same set share a message, which the kernel
 * works on several times as fast as on one for each.
 */
export function encodeCommands(commands: readonly NftCommand[]): NetlinkRequest[] {
  const requests: NetlinkRequest[] = [];
  for (let index = 0; index < commands.length; index++) {
    const command = commands[index] as NftCommand;
    if (!("element" in command)) {
      requests.push(encodeCommand(command, index));
      continue;
    }
    const run = elementRun(commands, index, command);
    requests.push(encodeElements(command, run));
    index += run.length - 1;
  }
  return requests;
}

/** The elements from `start` on that can share the message of the first. */
function elementRun(commands: readonly NftCommand[], start: number, first: ElementCommand): NftElement[] {
  const elements: NftElement[] = [];
  for (const command of commands.slice(start, start + ELEMENTS_AT_ONCE)) {
    if (command.verb !== first.verb || !("element" in command) || command.set !== first.set) break;
    if (command.table.name !== first.table.name || command.table.family !== first.table.family) break;
    elements.push(command.element);
  }
  return elements;
}

function encodeElements({ verb, table, set }: ElementCommand, elements: readonly NftElement[]): NetlinkRequest {
  const add = verb === "add-element";
  const about = `element of set ${set.name} of ${tableText(table)}`;
  const type = add ? MESSAGE.newElement : MESSAGE.deleteElement;
  return message(type, add ? MessageFlag.Create : 0, table, about, (writer) => {
    writer.string(1, table.name).string(2, set.name);
    writer.nested(3, (list) => {
      for (const element of elements) writeElement(list, set, element);
    });
  });
}

function tableText({ family, name }: NftTable): string {
  return `table ${family} ${name}`;
}

/** The message of one command. `index` tells the sets of one transaction apart. */
function encodeCommand(command: Exclude<NftCommand, ElementCommand>, index: number): NetlinkRequest {
  const { table } = command;
  const where = tableText(table);
  switch (command.verb) {
    case "add-table":
      return message(MESSAGE.newTable, MessageFlag.Create, table, where, (writer) => writer.string(1, table.name));
    case "delete-table":
      return message(MESSAGE.deleteTable, 0, table, where, (writer) => writer.string(1, table.name));
    case "add-chain":
      return message(MESSAGE.newChain, MessageFlag.Create, table, `chain ${command.chain} of ${where}`, (writer) => {
        writeChain(writer, table, command.chain, command.base);
      });
    case "add-set":
      return message(MESSAGE.newSet, MessageFlag.Create, table, `set ${command.set.name} of ${where}`, (writer) => {
        writeSet(writer, table, command.set, index);
      });
    case "add-rule": {
      const flags = MessageFlag.Create | MessageFlag.Append;
      return message(MESSAGE.newRule, flags, table, `rule in chain ${command.chain} of ${where}`, (writer) => {
        writer.string(1, table.name).string(2, command.chain);
        writer.nested(4, (list) => writeStatements(list, command.statements));
      });
    }
  }
}

function message(
  type: number,
  flags: number,
  table: NftTable,
  about: string,
  write: (writer: NetlinkWriter) => void,
): NetlinkRequest {
  const writer = new NetlinkWriter();
  writer.struct(4).writeUInt8(NFTABLES_FAMILY[table.family], 0);
  write(writer);
  return { type: (NFTABLES_SUBSYSTEM << 8) | type, flags, payload: writer.finish(), about: `nftables ${about}` };
}

function writeChain(writer: NetlinkWriter, table: NftTable, chain: string, base: NftBase | undefined): void {
  writer.string(1, table.name).string(3, chain);
  if (base === undefined) return;
  writer.nested(4, (hook) => hook.u32Be(1, NFTABLES_HOOKS.indexOf(base.hook)).u32Be(2, base.priority));
  writer.u32Be(5, 1).string(7, base.type);
}

function writeSet(writer: NetlinkWriter, table: NftTable, set: NftSet, index: number): void {
  const { key, data } = set;
  // Only ranges have to be told where the fields of a concatenation are.
  const fieldwise = key.length > 1 && set.interval === true;
  const flags =
    (set.interval === true ? SET_FLAG.interval : 0) |
    (data === undefined ? 0 : SET_FLAG.map) |
    (set.dynamic === undefined ? 0 : SET_FLAG.timeout | SET_FLAG.dynamic) |
    (fieldwise ? SET_FLAG.concatenation : 0);
  writer.string(1, table.name).string(2, set.name).u32Be(3, flags);
  writer.u32Be(4, fieldsType(key)).u32Be(5, fieldsSize(key));
  if (data === "verdict") writer.u32Be(6, VERDICT_TYPE);
  else if (data !== undefined) writer.u32Be(6, fieldsType(data)).u32Be(7, fieldsSize(data));
  if (fieldwise || set.dynamic !== undefined) {
    writer.nested(9, (description) => {
      if (set.dynamic !== undefined) description.u32Be(SET_DESCRIPTION.size, set.dynamic);
      if (!fieldwise) return;
      description.nested(SET_DESCRIPTION.fields, (fields) => {
        for (const size of fieldSizes(key)) fields.nested(LIST_ELEMENT, (field) => field.u32Be(1, size));
      });
    });
  }
  writer.u32Be(10, index + 1);
  writer.bytes(13, setUserData(key, data));
}

/** What nft(8) wants to know when it lists the set; the kernel only keeps it. */
function setUserData(key: readonly NftField[], data: NftSet["data"]): Buffer {
  const order = (type: number, fields: readonly NftField[]): Buffer =>
    Buffer.of(type, 4, fieldsByteOrder(fields), 0, 0, 0);
  const ofKey = order(KEY_BYTE_ORDER, key);
  return data === undefined || data === "verdict" ? ofKey : Buffer.concat([ofKey, order(DATA_BYTE_ORDER, data)]);
}

function writeElement(list: NetlinkWriter, set: NftSet, element: NftElement): void {
  const { key, end, data, goto } = element;
  const concatenation = set.key.length > 1;
  list.nested(LIST_ELEMENT, (writer) => {
    writer.nested(ELEMENT.key, (value) => value.bytes(DATA_VALUE, key));
    if (end !== undefined && concatenation) {
      writer.nested(ELEMENT.keyEnd, (value) => value.bytes(DATA_VALUE, end));
    }
    if (data !== undefined) writer.nested(ELEMENT.data, (value) => value.bytes(DATA_VALUE, data));
    if (goto !== undefined) writer.nested(ELEMENT.data, (value) => writeVerdict(value, NFT_GOTO, goto));
  });
  if (end === undefined || concatenation) return;
  // An interval of a single field ends where the next begins; one up to the last value has no end.
  const next = successor(end);
  if (next === undefined) return;
  list.nested(LIST_ELEMENT, (writer) => {
    writer.nested(ELEMENT.key, (value) => value.bytes(DATA_VALUE, next)).u32Be(ELEMENT.flags, INTERVAL_END);
  });
}

function successor(bytes: Uint8Array): Uint8Array | undefined {
  const next = Uint8Array.from(bytes);
  for (let index = next.length - 1; index >= 0; index--) {
    next[index] = ((next[index] ?? 0) + 1) & 0xff;
    if (next[index] !== 0) return next;
  }
  return undefined;
}
