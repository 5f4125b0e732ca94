import { Attributes, NetlinkWriter } from "../netlink/attributes.ts";
import { NetlinkProtocol, NetlinkSocket } from "../netlink/socket.ts";
import {
  encodeCommands,
  NFTABLES_FAMILY,
  NFTABLES_HOOKS,
  NFTABLES_SUBSYSTEM,
  type NftCommand,
  type NftTable,
} from "./command.ts";

/**
 * nf_tables by netlink. Nothing is read but what is asked for, and of that only what is named here: rulesets of others,
 * whatever wrote them, are never taken apart.
 */

const BATCH_BEGIN = 0x10;
const BATCH_END = 0x11;
const GET_CHAIN = (NFTABLES_SUBSYSTEM << 8) | 4;
const GET_ELEMENTS = (NFTABLES_SUBSYSTEM << 8) | 13;
const ELEMENT_LIST = 3;
const ELEMENT = { key: 1, data: 2 } as const;
const DATA_VALUE = 1;
const CHAIN = { table: 1, name: 3, hook: 4, policy: 5 } as const;
const HOOK_NUMBER = 1;
const FAMILY_NAMES = new Map<number, string>([
  ...Object.entries(NFTABLES_FAMILY).map(([name, number]) => [number, name] as const),
  [3, "arp"],
  [5, "netdev"],
  [7, "bridge"],
]);

/** A base chain, as far as others have to know it. */
export interface NftBaseChain {
  /** As nft(8) names it. */
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  /** `prerouting`, `input`, `forward`, `output`, `postrouting`; the number as text in families with other hooks. */
  readonly hook: string;
  readonly policy: "accept" | "drop";
}

/** Speaks to the network namespace its thread was in when it was made. Whoever opens it disposes it. */
export class Nftables implements Disposable {
  readonly #socket = new NetlinkSocket(NetlinkProtocol.Netfilter);

  /**
   * Performs all commands or none: packets meet the old ruleset or the new one. Throws the `NetlinkError` of the first
   * command that was refused, which it names.
   */
  run(commands: readonly NftCommand[]): void {
    if (commands.length === 0) return;
    this.#socket.transaction(
      { type: BATCH_BEGIN, payload: batchHeader(), about: "nftables transaction" },
      encodeCommands(commands),
      { type: BATCH_END, payload: batchHeader(), about: "nftables transaction" },
    );
  }

  /** The base chains of every table, whoever made it. */
  listBaseChains(): NftBaseChain[] {
    const writer = new NetlinkWriter();
    writer.struct(4);
    const about = "list nftables chains";
    return this.#socket.dump({ type: GET_CHAIN, payload: writer.finish(), about }).flatMap(({ payload }) => {
      return decodeBaseChain(payload) ?? [];
    });
  }

  /** The elements of one set or map: of those that rules add, too. */
  listElements({ family, name }: NftTable, set: string): { readonly key: Buffer; readonly data: Buffer | undefined }[] {
    const writer = new NetlinkWriter();
    writer.struct(4).writeUInt8(NFTABLES_FAMILY[family], 0);
    writer.string(1, name).string(2, set);
    const about = `list elements of set ${set} of table ${family} ${name}`;
    return this.#socket.dump({ type: GET_ELEMENTS, payload: writer.finish(), about }).flatMap(({ payload }) => {
      return new Attributes(payload.subarray(4)).list(ELEMENT_LIST).flatMap((element) => {
        const key = element.nested(ELEMENT.key)?.get(DATA_VALUE);
        return key === undefined ? [] : [{ key, data: element.nested(ELEMENT.data)?.get(DATA_VALUE) }];
      });
    });
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }
}

/** `struct nfgenmsg` with the subsystem that the batch is for. */
function batchHeader(): Buffer {
  return Buffer.of(0, 0, 0, NFTABLES_SUBSYSTEM);
}

function decodeBaseChain(payload: Buffer): NftBaseChain | undefined {
  const family = payload.readUInt8(0);
  const attributes = new Attributes(payload.subarray(4));
  const number = attributes.nested(CHAIN.hook)?.get(HOOK_NUMBER)?.readUInt32BE();
  if (number === undefined) return undefined;
  const named = family === NFTABLES_FAMILY.inet || family === NFTABLES_FAMILY.ip || family === NFTABLES_FAMILY.ip6;
  return {
    family: FAMILY_NAMES.get(family) ?? String(family),
    table: attributes.string(CHAIN.table) ?? "",
    chain: attributes.string(CHAIN.name) ?? "",
    hook: (named ? NFTABLES_HOOKS[number] : undefined) ?? String(number),
    policy: attributes.get(CHAIN.policy)?.readUInt32BE() === 0 ? "drop" : "accept",
  };
}
