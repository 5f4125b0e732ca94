import { addressBytes, addressText } from "@boxship/kernel";
import {
  type Answer,
  type AnswerRecord,
  isInternet,
  type Question,
  RecordType,
  ResponseCode,
  reverseAddress,
} from "@boxship/network";
import { type NamedEndpoint, type NamedService, undashed } from "./service-names.ts";

/** What the zone is made of. */
export interface ZoneContent {
  /** @param key `namespace/name` */
  service(key: string): NamedService | undefined;
  hasNamespace(name: string): boolean;
  /** The services and endpoints that have an address: names without the zone. */
  namesOf(address: string): readonly string[];
}

export interface ClusterZoneOptions {
  /** Without dots around it, e.g. `cluster.local`. */
  readonly zone: string;
  readonly content: ZoneContent;
  /** Grows with each change. */
  readonly serial: () => number;
  readonly random?: () => number;
}

/** Seconds for which clients may remember. */
const TTL = 5;
const VERSION = "1.1.0";

/** An answer, or another name that the name in question stands for. */
export type ZoneAnswer = Answer | { readonly alias: string; readonly record: AnswerRecord };

/** The names of a cluster, after Kubernetes' specification of its DNS, version 1.1. */
export class ClusterZone {
  readonly #options: ClusterZoneOptions;
  readonly #suffix: string;
  readonly #random: () => number;

  constructor(options: ClusterZoneOptions) {
    this.#options = options;
    this.#suffix = `.${options.zone}`;
    this.#random = options.random ?? Math.random;
  }

  /** Undefined where others are to be asked. */
  answer(question: Question): ZoneAnswer | undefined {
    if (!isInternet(question)) return undefined;
    const { name, type } = question;
    const { zone } = this.#options;
    if (name !== zone && !name.endsWith(this.#suffix)) return this.#reverse(name, type);
    const labels = name === zone ? [] : name.slice(0, -this.#suffix.length).split(".");
    const kind = labels.pop();
    switch (kind) {
      case undefined:
        return this.#apex(type);
      case "dns-version":
        if (labels.length > 0) return this.#absent();
        return this.#found(type, [{ type: "text", text: VERSION, ttl: TTL }], RecordType.TXT);
      case "svc":
        return this.#services(labels, type);
      case "pod":
        return this.#pods(labels, type);
      default:
        return this.#absent();
    }
  }

  #apex(type: number): Answer {
    const { zone } = this.#options;
    if (type === RecordType.SOA) return this.#say([this.#start()]);
    const server = `ns.dns.${zone}`;
    return this.#found(type, [{ type: "server", name: server, ttl: TTL }], RecordType.NS);
  }

  #pods(labels: string[], type: number): Answer {
    const namespace = labels.pop();
    if (namespace === undefined) return this.#empty();
    if (!this.#options.content.hasNamespace(namespace) || labels.length > 1) return this.#absent();
    const [label] = labels;
    if (label === undefined) return this.#empty();
    const found = undashed(label);
    return found === undefined ? this.#absent() : this.#addresses([found.address], type);
  }

  #services(labels: string[], type: number): ZoneAnswer {
    const namespace = labels.pop();
    if (namespace === undefined) return this.#empty();
    const name = labels.pop();
    const { content, zone } = this.#options;
    if (name === undefined) return content.hasNamespace(namespace) ? this.#empty() : this.#absent();
    const service = content.service(`${namespace}/${name}`);
    if (service === undefined) return this.#absent();
    const full = `${name}.${namespace}.svc.${zone}`;
    const [first, second, ...more] = labels;
    if (first === undefined) return this.#service(service, full, type);
    if (service.alias !== undefined || more.length > 0) return this.#absent();
    if (second !== undefined) return this.#port(service, { port: first, protocol: second }, full, type);
    if (first.startsWith("_")) return hasProtocol(service, first) ? this.#empty() : this.#absent();
    const endpoints = service.endpoints.filter(({ label }) => label === first);
    if (endpoints.length === 0) return this.#absent();
    return this.#addresses(
      endpoints.flatMap(({ addresses }) => addresses),
      type,
    );
  }

  #service(service: NamedService, full: string, type: number): ZoneAnswer {
    const { alias, isHeadless, addresses, endpoints, ports } = service;
    if (alias !== undefined) {
      const record: AnswerRecord = { type: "alias", name: alias, ttl: TTL };
      return type === RecordType.CNAME ? this.#say([record]) : { alias, record };
    }
    if (type !== RecordType.SRV) {
      const found = isHeadless ? endpoints.flatMap((endpoint) => endpoint.addresses) : addresses;
      return this.#addresses(found, type);
    }
    const all = isHeadless ? endpoints.flatMap((endpoint) => endpoint.ports) : ports;
    const unique = new Map(all.map((port) => [`${port.name} ${port.protocol}`, port]));
    const answers = [...unique.values()].map(({ name, protocol }) => this.#places(service, { name, protocol }, full));
    return this.#tell(answers);
  }

  /** A port's name and protocol, each behind an underscore. */
  #port(
    service: NamedService,
    { port, protocol }: { readonly port: string; readonly protocol: string },
    full: string,
    type: number,
  ): Answer {
    if (!port.startsWith("_") || !protocol.startsWith("_")) return this.#absent();
    const wanted = { name: port.slice(1), protocol: protocol.slice(1) };
    const all = [...service.ports, ...service.endpoints.flatMap((endpoint) => endpoint.ports)];
    const isThere = all.some(({ name, protocol: of }) => name === wanted.name && of === wanted.protocol);
    if (!isThere || wanted.name === "") return this.#absent();
    return type === RecordType.SRV || type === RecordType.ANY
      ? this.#tell([this.#places(service, wanted, full)])
      : this.#empty();
  }

  /** Where a port is, and the addresses of that. */
  #places(
    { isHeadless, ports, endpoints, addresses }: NamedService,
    wanted: { readonly name: string; readonly protocol: string },
    full: string,
  ): { readonly records: AnswerRecord[]; readonly additional: AnswerRecord[] } {
    const fits = (port: { readonly name: string; readonly protocol: string }): boolean =>
      port.name === wanted.name && port.protocol === wanted.protocol;
    const told = isHeadless
      ? endpoints.flatMap((endpoint) => {
          const found = endpoint.ports.find(fits);
          return found === undefined ? [] : [{ name: `${endpoint.label}.${full}`, port: found.port, of: endpoint }];
        })
      : ports.filter(fits).map(({ port }) => ({ name: full, port, of: { addresses } as NamedEndpoint }));
    const weight = Math.max(1, Math.floor(100 / Math.max(1, told.length)));
    return {
      records: told.map(({ name, port }) => ({ type: "service", priority: 0, weight, port, name, ttl: TTL })),
      additional: told.flatMap(({ name, of }) =>
        of.addresses.map((address): AnswerRecord => ({ type: "address", owner: name, address, ttl: TTL })),
      ),
    };
  }

  #tell(answers: readonly { readonly records: AnswerRecord[]; readonly additional: AnswerRecord[] }[]): Answer {
    const records = answers.flatMap((answer) => answer.records);
    if (records.length === 0) return this.#empty();
    return { ...this.#say(records), additional: answers.flatMap((answer) => answer.additional) };
  }

  #addresses(all: readonly string[], type: number): Answer {
    const four = type === RecordType.A || type === RecordType.ANY;
    const six = type === RecordType.AAAA || type === RecordType.ANY;
    const found = [...new Set(all)].filter((address) => (address.includes(":") ? six : four));
    if (found.length === 0) return this.#empty();
    const start = Math.floor(this.#random() * found.length);
    const turned = [...found.slice(start), ...found.slice(0, start)];
    return this.#say(turned.map((address) => ({ type: "address", address, ttl: TTL })));
  }

  /** Addresses of others are told by others. */
  #reverse(name: string, type: number): Answer | undefined {
    const text = reverseAddress(name);
    if (text === undefined) return undefined;
    const address = canonical(text);
    const names = address === undefined ? [] : this.#options.content.namesOf(address);
    if (names.length === 0) return undefined;
    const records = names.map((one): AnswerRecord => ({ type: "pointer", name: `${one}${this.#suffix}`, ttl: TTL }));
    return this.#found(type, records, RecordType.PTR);
  }

  #found(type: number, records: readonly AnswerRecord[], own: number): Answer {
    return type === own || type === RecordType.ANY ? this.#say(records) : this.#empty();
  }

  #say(records: readonly AnswerRecord[]): Answer {
    return { code: ResponseCode.NoError, records, authoritative: true };
  }

  /** The name is there, and has nothing of this type. */
  #empty(): Answer {
    return { ...this.#say([]), authority: [this.#start()] };
  }

  #absent(): Answer {
    return { ...this.#empty(), code: ResponseCode.NameError };
  }

  #start(): AnswerRecord {
    const { zone, serial } = this.#options;
    const names = { server: `ns.dns.${zone}`, mailbox: `hostmaster.${zone}` };
    return { type: "start", owner: zone, ...names, serial: serial(), minimum: TTL, ttl: TTL };
  }
}

function hasProtocol({ ports, endpoints }: NamedService, label: string): boolean {
  return [...ports, ...endpoints.flatMap((endpoint) => endpoint.ports)].some(
    ({ protocol }) => `_${protocol}` === label,
  );
}

/** A reverse name with numbers over 255 or leading zeros stands for no address. */
export function canonical(text: string): string | undefined {
  try {
    return addressText(addressBytes(text));
  } catch {
    return undefined;
  }
}
