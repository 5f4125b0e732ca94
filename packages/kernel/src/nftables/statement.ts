import { Buffer } from "node:buffer";
import { align4, NetlinkWriter } from "../netlink/attributes.ts";
import { hostWord } from "./fields.ts";

/**
 * The parts of a rule, as plain data that can be sent between threads, and the expressions of the kernel's little machine
 * that they become (`linux/netfilter/nf_tables.h`). Values travel in sixteen registers of four bytes; every statement
 * starts with the first.
 */

/** What of a packet a statement looks at; named as nft(8) names it. In a table `inet` the family must be known before. */
export type NftSelector = keyof typeof SELECTORS;

export type NftVerdict = "accept" | "drop" | "return";

export type NftStatement =
  /** Goes on when the selector has this value. */
  | { readonly kind: "equals"; readonly selector: NftSelector; readonly value: Uint8Array }
  /** Goes on when any of the bits is set; of selectors in host order. */
  | { readonly kind: "any-bit"; readonly selector: NftSelector; readonly bits: number }
  /** Goes on when the selectors, one behind the other, are an element of the set. */
  | { readonly kind: "member"; readonly selectors: readonly NftSelector[]; readonly set: string }
  /** Goes on when the map has the selectors, and translates the destination to the address and port found there. */
  | NftTranslation
  /** Goes on in the chain that the map has for the selectors. */
  | { readonly kind: "goto-mapped"; readonly selectors: readonly NftSelector[]; readonly map: string }
  /** Translates the source to itself: no later rule changes it. */
  | { readonly kind: "keep-source"; readonly family: "ip" | "ip6" }
  /** Puts what the values of `data` are into the map, for some seconds; of what is there already, the time begins anew. */
  | {
      readonly kind: "remember";
      readonly selectors: readonly NftSelector[];
      readonly data: readonly NftSelector[];
      readonly map: string;
      readonly seconds: number;
    }
  | { readonly kind: "masquerade" }
  /** Tells the sender that nobody is at the port: by ICMP, or as TCP itself does. */
  | { readonly kind: "reject"; readonly by: "icmp" | "tcp" }
  /** Writes a port into the packet, and mends the checksum of its protocol. */
  | {
      readonly kind: "set-port";
      readonly selector: "th sport" | "th dport";
      readonly protocol: "tcp" | "udp";
      readonly value: Uint8Array;
    }
  /** Marks the packet, or its connection. */
  | { readonly kind: "set-mark"; readonly of: "meta mark" | "ct mark"; readonly value: Uint8Array }
  /** Sets bits of the packet's mark, and leaves the others as they are. */
  | { readonly kind: "add-mark"; readonly bits: number }
  | { readonly kind: "verdict"; readonly verdict: NftVerdict }
  | { readonly kind: "jump"; readonly chain: string };

export interface NftTranslation {
  readonly kind: "translate";
  readonly family: "ip" | "ip6";
  readonly selectors: readonly NftSelector[];
  /** One of so many, at random, is a further value behind the selectors: 0, 1, … */
  readonly among?: number;
  readonly map: string;
}

type Base = "network" | "transport";

interface Loader {
  readonly size: number;
  readonly expression: string;
  readonly write: (writer: NetlinkWriter, register: number) => void;
}

const PAYLOAD_BASE: Readonly<Record<Base, number>> = { network: 1, transport: 2 };
const META_KEY = { mark: 3, iifname: 6, oifname: 7, nfproto: 15, l4proto: 16 } as const;
const RANDOM = 1;
const DYNSET_UPDATE = 1;
const MILLISECONDS = 1000n;
const REJECT_TCP_RESET = 1;
const REJECT_ICMPX = 2;
const ICMPX_PORT_UNREACHABLE = 1;
const CT_KEY = { state: 0, status: 2, mark: 3, destinationPort: 12, destination4: 20, destination6: 22 } as const;
const CT_ORIGINAL = 0;
const FIB_ADDRESS_TYPE = 3;
const FIB_SOURCE = 1;
const FIB_DESTINATION = 2;
const FIB_INPUT_LINK = 8;

const SELECTORS = {
  iifname: meta(META_KEY.iifname, 16),
  oifname: meta(META_KEY.oifname, 16),
  "meta mark": meta(META_KEY.mark, 4),
  "meta nfproto": meta(META_KEY.nfproto, 1),
  "meta l4proto": meta(META_KEY.l4proto, 1),
  "ip saddr": payload("network", 12, 4),
  "ip daddr": payload("network", 16, 4),
  /** The first byte of the address. */
  "ip daddr/8": payload("network", 16, 1),
  "ip saddr/8": payload("network", 12, 1),
  "ip6 saddr": payload("network", 8, 16),
  "ip6 daddr": payload("network", 24, 16),
  "th sport": payload("transport", 0, 2),
  "th dport": payload("transport", 2, 2),
  "ct state": tracking(CT_KEY.state),
  "ct status": tracking(CT_KEY.status),
  "ct mark": tracking(CT_KEY.mark),
  "ct original ip daddr": ofOriginal(CT_KEY.destination4, 4),
  "ct original ip6 daddr": ofOriginal(CT_KEY.destination6, 16),
  "ct original proto-dst": ofOriginal(CT_KEY.destinationPort, 2),
  "fib saddr type": addressType(FIB_SOURCE),
  "fib daddr type": addressType(FIB_DESTINATION),
  "fib daddr . iif type": addressType(FIB_DESTINATION | FIB_INPUT_LINK),
} as const satisfies Record<string, Loader>;

/** Bits of `ct state` and `ct status`. */
export const NftBit = { invalid: 1, established: 2, related: 4, destinationTranslated: 0x20 } as const;

/** Values of `fib … type` (`linux/rtnetlink.h`), in host order. */
export const NftAddressType = { local: hostWord(2), broadcast: hostWord(3), multicast: hostWord(5) } as const;

/** Values of `meta nfproto`. */
export const NftFamily = { ipv4: Buffer.of(2), ipv6: Buffer.of(10) } as const;

const VERDICT_REGISTER = 0;
const FIRST_REGISTER = 8;
const DATA_VALUE = 1;
const DATA_VERDICT = 2;
const VERDICT_CODE: Readonly<Record<NftVerdict, number>> = { drop: 0, accept: 1, return: -5 };
const VERDICT_JUMP = -3;
export const NFT_GOTO = -4;
const COMPARE = { equal: 0, notEqual: 1 } as const;
const CHECKSUM_INTERNET = 1;
const CHECKSUM_OFFSET = { tcp: 16, udp: 6 } as const;
const NAT_SOURCE = 0;
const NAT_DESTINATION = 1;
const NAT_FAMILY = { ip: 2, ip6: 10 } as const;
const LIST_ELEMENT = 1;
const EXPRESSION_NAME = 1;
const EXPRESSION_DATA = 2;

/** Adds the expressions of a rule's statements, each as an element of a list. */
export function writeStatements(writer: NetlinkWriter, statements: readonly NftStatement[]): void {
  for (const statement of statements) writeStatement(writer, statement);
}

function writeStatement(writer: NetlinkWriter, statement: NftStatement): void {
  switch (statement.kind) {
    case "equals":
      load(writer, [statement.selector]);
      return compare(writer, COMPARE.equal, statement.value);
    case "any-bit":
      load(writer, [statement.selector]);
      changeBits(writer, statement.bits, 0);
      return compare(writer, COMPARE.notEqual, hostWord(0));
    case "member":
      load(writer, statement.selectors);
      return expression(writer, "lookup", (data) => data.string(1, statement.set).u32Be(2, FIRST_REGISTER));
    case "translate":
      return writeTranslation(writer, statement);
    case "goto-mapped":
      load(writer, statement.selectors);
      return lookup(writer, statement.map, FIRST_REGISTER, VERDICT_REGISTER);
    case "remember":
      return writeMemory(writer, statement);
    case "keep-source":
      load(writer, [statement.family === "ip" ? "ip saddr" : "ip6 saddr"]);
      return expression(writer, "nat", (data) => {
        data.u32Be(1, NAT_SOURCE).u32Be(2, NAT_FAMILY[statement.family]).u32Be(3, FIRST_REGISTER);
      });
    case "reject":
      return expression(writer, "reject", (data) => {
        if (statement.by === "tcp") data.u32Be(1, REJECT_TCP_RESET);
        else data.u32Be(1, REJECT_ICMPX).u8(2, ICMPX_PORT_UNREACHABLE);
      });
    case "add-mark":
      load(writer, ["meta mark"]);
      changeBits(writer, ~statement.bits, statement.bits);
      return expression(writer, "meta", (data) => data.u32Be(2, META_KEY.mark).u32Be(3, FIRST_REGISTER));
    case "masquerade":
      return expression(writer, "masq", () => {});
    case "set-port":
      return writePort(writer, statement);
    case "set-mark":
      return writeMark(writer, statement);
    case "verdict":
      return decide(writer, VERDICT_CODE[statement.verdict]);
    case "jump":
      return decide(writer, VERDICT_JUMP, statement.chain);
  }
}

function writeTranslation(writer: NetlinkWriter, statement: NftTranslation): void {
  const { family, selectors, among, map } = statement;
  const next = load(writer, selectors);
  if (among !== undefined) {
    expression(writer, "numgen", (data) => data.u32Be(1, next).u32Be(2, among).u32Be(3, RANDOM));
  }
  lookup(writer, map, FIRST_REGISTER, FIRST_REGISTER);
  const portRegister = FIRST_REGISTER + (family === "ip" ? 1 : 4);
  expression(writer, "nat", (data) => {
    data.u32Be(1, NAT_DESTINATION).u32Be(2, NAT_FAMILY[family]).u32Be(3, FIRST_REGISTER).u32Be(5, portRegister);
  });
}

function writeMemory(
  writer: NetlinkWriter,
  { selectors, data: values, map, seconds }: Extract<NftStatement, { kind: "remember" }>,
): void {
  const from = load(writer, selectors);
  load(writer, values, from);
  expression(writer, "dynset", (data) => {
    data.string(1, map).u32Be(3, DYNSET_UPDATE).u32Be(4, FIRST_REGISTER).u32Be(5, from);
    data.u64Be(6, BigInt(seconds) * MILLISECONDS);
  });
}

function lookup(writer: NetlinkWriter, map: string, from: number, to: number): void {
  expression(writer, "lookup", (data) => data.string(1, map).u32Be(2, from).u32Be(3, to));
}

function writeMark(writer: NetlinkWriter, { of, value }: Extract<NftStatement, { kind: "set-mark" }>): void {
  expression(writer, "immediate", (data) => {
    data.u32Be(1, FIRST_REGISTER).nested(2, (nested) => nested.bytes(DATA_VALUE, value));
  });
  // The number of the attribute that names the register differs.
  if (of === "meta mark") expression(writer, "meta", (data) => data.u32Be(2, META_KEY.mark).u32Be(3, FIRST_REGISTER));
  else expression(writer, "ct", (data) => data.u32Be(2, CT_KEY.mark).u32Be(4, FIRST_REGISTER));
}

function writePort(
  writer: NetlinkWriter,
  { selector, protocol, value }: Extract<NftStatement, { kind: "set-port" }>,
): void {
  expression(writer, "immediate", (data) => {
    data.u32Be(1, FIRST_REGISTER).nested(2, (nested) => nested.bytes(DATA_VALUE, value));
  });
  expression(writer, "payload", (data) => {
    data.u32Be(5, FIRST_REGISTER).u32Be(2, PAYLOAD_BASE.transport);
    data.u32Be(3, selector === "th sport" ? 0 : 2).u32Be(4, value.length);
    data.u32Be(6, CHECKSUM_INTERNET).u32Be(7, CHECKSUM_OFFSET[protocol]);
  });
}

/** @returns the first register behind */
function load(writer: NetlinkWriter, selectors: readonly NftSelector[], first = FIRST_REGISTER): number {
  let register = first;
  for (const selector of selectors) {
    const { expression: name, size, write } = SELECTORS[selector];
    const at = register;
    expression(writer, name, (data) => write(data, at));
    register += align4(size) / 4;
  }
  return register;
}

function compare(writer: NetlinkWriter, operation: number, value: Uint8Array): void {
  expression(writer, "cmp", (data) => {
    data
      .u32Be(1, FIRST_REGISTER)
      .u32Be(2, operation)
      .nested(3, (nested) => nested.bytes(DATA_VALUE, value));
  });
}

/** Keeps the bits of a mask, then turns others. */
function changeBits(writer: NetlinkWriter, mask: number, turned: number): void {
  expression(writer, "bitwise", (data) => {
    data.u32Be(1, FIRST_REGISTER).u32Be(2, FIRST_REGISTER).u32Be(3, 4);
    data.nested(4, (nested) => nested.bytes(DATA_VALUE, hostWord(mask)));
    data.nested(5, (nested) => nested.bytes(DATA_VALUE, hostWord(turned)));
  });
}

function decide(writer: NetlinkWriter, code: number, chain?: string): void {
  expression(writer, "immediate", (data) => {
    data.u32Be(1, VERDICT_REGISTER).nested(2, (nested) => writeVerdict(nested, code, chain));
  });
}

/** The value of a verdict, as an attribute of the writer. */
export function writeVerdict(writer: NetlinkWriter, code: number, chain?: string): void {
  writer.nested(DATA_VERDICT, (verdict) => {
    verdict.u32Be(1, code);
    if (chain !== undefined) verdict.string(2, chain);
  });
}

function expression(writer: NetlinkWriter, name: string, write: (data: NetlinkWriter) => void): void {
  writer.nested(LIST_ELEMENT, (element) => {
    element.string(EXPRESSION_NAME, name).nested(EXPRESSION_DATA, write);
  });
}

function meta(key: number, size: number): Loader {
  return { size, expression: "meta", write: (writer, register) => writer.u32Be(1, register).u32Be(2, key) };
}

function payload(base: Base, offset: number, size: number): Loader {
  const write = (writer: NetlinkWriter, register: number): void => {
    writer.u32Be(1, register).u32Be(2, PAYLOAD_BASE[base]).u32Be(3, offset).u32Be(4, size);
  };
  return { size, expression: "payload", write };
}

function tracking(key: number): Loader {
  return { size: 4, expression: "ct", write: (writer, register) => writer.u32Be(1, register).u32Be(2, key) };
}

/** As the connection began, before anything was translated. */
function ofOriginal(key: number, size: number): Loader {
  const write = (writer: NetlinkWriter, register: number): void => {
    writer.u32Be(1, register).u32Be(2, key).u8(3, CT_ORIGINAL);
  };
  return { size, expression: "ct", write };
}

function addressType(flags: number): Loader {
  const write = (writer: NetlinkWriter, register: number): void => {
    writer.u32Be(1, register).u32Be(2, FIB_ADDRESS_TYPE).u32Be(3, flags);
  };
  return { size: 4, expression: "fib", write };
}
