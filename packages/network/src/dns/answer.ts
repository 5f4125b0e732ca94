import { addressBytes, addressText } from "@boxship/kernel";
import { type LiveNetwork, type LiveSandbox, type ManagerContext, networkOf } from "../live.ts";
import type { StoredEndpoint } from "../state/stored.ts";
import { type Answer, isInternet, type Question, RecordType, ResponseCode, reverseAddress } from "./message.ts";

/** How long clients may remember an answer, in seconds: as Docker has it. */
const TTL = 600;

/**
 * What a sandbox's resolver says to a question by itself; undefined when others must be asked.
 *
 * Names are those of the networks that the sandbox is on: first the links of its own, then, network by network in the
 * order of their names, the DNS names of members, also with `.<network>` behind. A name that is known has no other
 * records than addresses. Several members with one name are answered in random order.
 */
export function answerQuestion(
  context: ManagerContext,
  sandbox: LiveSandbox,
  question: Question,
  random: () => number = Math.random,
): Answer | undefined {
  if (!isInternet(question)) return undefined;
  const endpoints = [...sandbox.stored.endpoints].sort((a, b) => (a.networkName < b.networkName ? -1 : 1));
  if (question.type === RecordType.PTR) return answerReverse(context, endpoints, question.name);
  for (const own of endpoints) {
    const network = networkOf(context, own);
    if (!network.hasNames) continue;
    const members = findMembers(network, own, question.name);
    if (members !== undefined) return addresses(members, question.type, random);
  }
  return undefined;
}

/** The addresses of members of a name, see {@link NetworkManager.addressesOf}; internal networks keep theirs. */
export function findByFullName(context: ManagerContext, name: string): readonly string[] | undefined {
  for (const network of context.networks.values()) {
    const suffix = `.${network.record.name.toLowerCase()}`;
    if (!network.hasNames || network.record.internal || !name.endsWith(suffix)) continue;
    const members = network.endpointsByName(name.slice(0, -suffix.length));
    if (members === undefined || members.size === 0) continue;
    return [...members].flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].flatMap((one) => one?.address ?? []));
  }
  return undefined;
}

function findMembers(network: LiveNetwork, own: StoredEndpoint, name: string): ReadonlySet<StoredEndpoint> | undefined {
  const link = own.links.find(({ alias }) => alias.toLowerCase() === name);
  const linked = link === undefined ? undefined : network.endpointsByName(shortId(link.target.toLowerCase()));
  if (linked !== undefined) return linked;
  const suffix = `.${network.record.name.toLowerCase()}`;
  const bare = name.endsWith(suffix) ? name.slice(0, -suffix.length) : undefined;
  return network.endpointsByName(name) ?? (bare === undefined ? undefined : network.endpointsByName(bare));
}

/** A container's full id is known by its first twelve digits. */
function shortId(target: string): string {
  return /^[0-9a-f]{64}$/.test(target) ? target.slice(0, 12) : target;
}

function addresses(members: ReadonlySet<StoredEndpoint>, type: number, random: () => number): Answer {
  const wanted = {
    four: type === RecordType.A || type === RecordType.ANY,
    six: type === RecordType.AAAA || type === RecordType.ANY,
  };
  const found = [...members].flatMap(({ ipv4, ipv6 }) => [
    ...(wanted.four && ipv4 !== undefined ? [ipv4.address] : []),
    ...(wanted.six && ipv6 !== undefined ? [ipv6.address] : []),
  ]);
  const records = shuffle(found, random).map((address) => ({ type: "address", address, ttl: TTL }) as const);
  return { code: ResponseCode.NoError, records };
}

function shuffle<T>(list: T[], random: () => number): T[] {
  for (let index = list.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1));
    [list[index], list[other]] = [list[other] as T, list[index] as T];
  }
  return list;
}

function answerReverse(
  context: ManagerContext,
  endpoints: readonly StoredEndpoint[],
  name: string,
): Answer | undefined {
  const text = reverseAddress(name);
  if (text === undefined) return undefined;
  const address = canonical(text);
  for (const own of endpoints) {
    const network = networkOf(context, own);
    const found = network.hasNames && address !== undefined ? network.endpointByAddress(address) : undefined;
    if (found === undefined) continue;
    const pointer = { type: "pointer", name: `${found.name}.${network.record.name}`, ttl: TTL } as const;
    return { code: ResponseCode.NoError, records: [pointer] };
  }
  return undefined;
}

function canonical(text: string): string | undefined {
  try {
    return addressText(addressBytes(text));
  } catch {
    // A reverse name with numbers over 255 or leading zeros stands for no address.
    return undefined;
  }
}
