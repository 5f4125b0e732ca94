import type { KubeObject } from "@boxship/api";
import { asBoxshipError, type Clock, type Logger, systemClock, systemCode } from "@boxship/base";
import { type ApiClient, type FollowServices, Informer } from "@boxship/client";
import { bindSocket } from "@boxship/kernel";
import {
  type Answer,
  type AnswerRecord,
  askFor,
  encodeAnswer,
  isInternet,
  isTruncated,
  parseAnswer,
  parseCompressed,
  type Question,
  RecordType,
  ResolverServer,
  ResponseCode,
  readHostResolvers,
  type Transport,
  type UpstreamServer,
  Upstreams,
} from "@boxship/network";
import { AnswerCache } from "./answer-cache.ts";
import { ClusterZone, type ZoneAnswer } from "./cluster-zone.ts";
import { FollowedContent } from "./zone-content.ts";

export interface ClusterDnsOptions {
  /** Stays the caller's. */
  readonly client: ApiClient;
  /** Stays the caller's. */
  readonly services: FollowServices;
  /** @default "cluster.local" */
  readonly zone?: string;
  /** Where it listens. @default "127.0.0.1" */
  readonly address?: string;
  /** And at which port, if that is free. @default one that is free */
  readonly port?: number;
  /** Addresses of a name below `boxship.internal`, without that. @default nobody has any */
  readonly engineNames?: (name: string) => Promise<readonly string[] | undefined>;
  /** Who is asked for names outside of the cluster. @default "/etc/resolv.conf" */
  readonly resolvConf?: string;
  /** The address under which pods ask it: never asked itself. @default none */
  readonly serviceAddress?: string;
  /** Port of the servers that are asked. @default 53 */
  readonly upstreamPort?: number;
  readonly clock?: Clock;
  readonly logger: Logger;
}

/** Aliases of aliases that are followed. */
const MOST_ALIASES = 8;
/**
 * How long others are waited for when there is an answer that is too old: less than the 5 seconds after which clients ask
 * again (RFC 8767, section 5).
 */
const STALE_AFTER_MS = 1800;
/** How long the host's configuration is trusted before it is read again. */
const REREAD_MS = 5000;
/** Ports that are tried. */
const MOST_PORTS = 20;

/** The name server of a cluster. */
export class ClusterDns implements AsyncDisposable {
  /** Resolves when the names of the cluster are known. */
  readonly ready: Promise<void>;
  /** By UDP and by TCP. */
  readonly port: number;
  readonly #options: ClusterDnsOptions;
  readonly #clock: Clock;
  readonly #namespaces: Informer<KubeObject>;
  readonly #content: FollowedContent;
  readonly #zone: ClusterZone;
  readonly #cache: AnswerCache;
  readonly #upstreams: Upstreams;
  readonly #server: ResolverServer;
  /** Questions that others are being asked, and who else waits for the answer. */
  readonly #asking = new Map<string, Promise<Buffer>>();
  #servers: readonly UpstreamServer[] = [];
  #isKnown = false;
  #read = Number.NEGATIVE_INFINITY;

  constructor(options: ClusterDnsOptions) {
    this.#options = options;
    const { client, services, logger, zone = "cluster.local", address = "127.0.0.1", upstreamPort = 53 } = options;
    const clock = options.clock ?? systemClock;
    this.#clock = clock;
    this.#cache = new AnswerCache({ clock });
    this.#upstreams = new Upstreams({ clock, port: upstreamPort });
    const collection = { group: "", version: "v1", resource: "namespaces" };
    this.#namespaces = new Informer<KubeObject>({ client, collection, logger, clock }).start();
    this.#content = new FollowedContent(services, this.#namespaces);
    const content = this.#content;
    this.#zone = new ClusterZone({ zone, content, serial: () => content.serial });
    const { udp, tcp, port } = bindBoth(address, options.port ?? 0);
    this.port = port;
    this.#server = new ResolverServer(
      { udp, tcp },
      {
        answer: (question) => this.#answer(question),
        forward: (question, transport) => this.#forward(question, transport),
      },
    );
    this.ready = Promise.all([services.synced, this.#namespaces.synced]).then(() => {
      this.#isKnown = true;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server[Symbol.dispose]();
    this.#content[Symbol.dispose]();
    await this.#namespaces[Symbol.asyncDispose]();
  }

  /** What is told without asking anybody. That a name is not there is not told before it is known. */
  #answer(question: Question): Answer | undefined {
    const own = this.#zone.answer(question);
    if (own !== undefined && !this.#isKnown) return { code: ResponseCode.ServerFailure, records: [] };
    return own === undefined || "alias" in own ? undefined : own;
  }

  async #forward(question: Question, transport: Transport): Promise<Buffer> {
    const own = this.#zone.answer(question);
    if (own !== undefined && "alias" in own) {
      const answer = await this.#follow(question, own);
      return encodeAnswer(question, answer, transport === "udp" ? question.udpSize : undefined);
    }
    const { engineNames } = this.#options;
    if (engineNames !== undefined && isInternet(question) && question.name.endsWith(ENGINE_SUFFIX)) {
      const found = await engineNames(question.name.slice(0, -ENGINE_SUFFIX.length));
      return encodeAnswer(question, engineAnswer(question, found), transport === "udp" ? question.udpSize : undefined);
    }
    return this.#cache.get(question) ?? (await this.#ask(question, transport));
  }

  /** Several who ask the same at once are one question to others. */
  async #ask(question: Question, transport: Transport): Promise<Buffer> {
    const asking = this.#askOnce(question, transport);
    const old = this.#cache.get(question, true);
    if (old === undefined) return await asking;
    const late = Promise.withResolvers<Buffer>();
    using _timer = this.#clock.setTimeout(STALE_AFTER_MS, () => late.resolve(old));
    return await Promise.race([asking.catch(() => old), late.promise]);
  }

  async #askOnce(question: Question, transport: Transport): Promise<Buffer> {
    const key = `${transport} ${question.message.toString("latin1", 2)}`;
    const asked = this.#asking.get(key);
    if (asked === undefined) {
      const asking = this.#askOthers(question, transport).finally(() => this.#asking.delete(key));
      this.#asking.set(key, asking);
      return await asking;
    }
    const answer = Buffer.from(await asked);
    answer.writeUInt16BE(question.id, 0);
    return answer;
  }

  async #askOthers(question: Question, transport: Transport): Promise<Buffer> {
    const answer = await this.#upstreams.ask(question.message, question.end, this.#upstreamServers(), transport);
    this.#cache.put(question, answer);
    return answer;
  }

  #upstreamServers(): readonly UpstreamServer[] {
    const { resolvConf = "/etc/resolv.conf", serviceAddress } = this.#options;
    if (this.#clock.monotonic() - this.#read < REREAD_MS) return this.#servers;
    this.#read = this.#clock.monotonic();
    const { servers } = readHostResolvers(resolvConf);
    this.#servers = servers.filter((address) => address !== serviceAddress).map((address) => ({ address }));
    return this.#servers;
  }

  /** What a service stands for is looked up here: a client's library does not go on by itself. */
  async #follow(question: Question, first: Extract<ZoneAnswer, { alias: string }>): Promise<Answer> {
    const records: AnswerRecord[] = [first.record];
    let { alias } = first;
    for (let times = 1; times < MOST_ALIASES; times++) {
      const next = askFor(question, alias);
      const own = this.#zone.answer(next);
      if (own === undefined) return await this.#followOutside(next, records, alias);
      if (!("alias" in own)) {
        return { ...own, records: [...records, ...own.records.map((record) => ({ owner: alias, ...record }))] };
      }
      records.push({ ...own.record, owner: alias });
      ({ alias } = own);
    }
    return { code: ResponseCode.ServerFailure, records: [] };
  }

  async #followOutside(question: Question, records: readonly AnswerRecord[], alias: string): Promise<Answer> {
    let found = this.#cache.get(question) ?? (await this.#ask(question, "udp"));
    if (isTruncated(found)) found = await this.#ask(question, "tcp");
    const answer = parseAnswer(found);
    if (answer === undefined) return { code: ResponseCode.ServerFailure, records: [] };
    const more = answer.records.flatMap((record): AnswerRecord[] => {
      const { section, owner, type, ttl, start, end } = record;
      if (section !== "answer") return [];
      const of = owner === "" ? alias : owner;
      if (type === RecordType.A || type === RecordType.AAAA) {
        return [{ type: "address", owner: of, ttl, address: addressAt(found, start, end) }];
      }
      const name = type === RecordType.CNAME ? parseCompressed(found, start) : undefined;
      return name === undefined ? [] : [{ type: "alias", owner: of, ttl, name: name.name }];
    });
    return { code: answer.code, records: [...records, ...more] };
  }
}

/** Of containers, as pods ask for them. */
const ENGINE_SUFFIX = ".boxship.internal";
/** Seconds for which clients may remember a container's address. */
const ENGINE_TTL = 5;

function engineAnswer({ type }: Question, found: readonly string[] | undefined): Answer {
  if (found === undefined) return { code: ResponseCode.NameError, records: [] };
  const records = found.flatMap((address): AnswerRecord[] => {
    const wanted = type === (address.includes(":") ? RecordType.AAAA : RecordType.A) || type === RecordType.ANY;
    return wanted ? [{ type: "address", address, ttl: ENGINE_TTL }] : [];
  });
  return { code: ResponseCode.NoError, records };
}

/** A port that is free for both, and its sockets. @param wanted taken if it is free */
function bindBoth(
  address: string,
  wanted: number,
): { readonly udp: number; readonly tcp: number; readonly port: number } {
  for (let tries = wanted === 0 ? 1 : 0; ; tries++) {
    const udp = tries > 0 ? bindSocket({ protocol: "udp", address, port: 0 }) : bindIfFree(address, wanted);
    if (udp === undefined) continue;
    const { fd, port } = udp;
    try {
      const tcp = bindSocket({ protocol: "tcp", address, port });
      return { udp: fd.release(), tcp: tcp.fd.release(), port };
    } catch (error) {
      fd.close();
      if (systemCode(error) !== "EADDRINUSE" || tries === MOST_PORTS) throw asBoxshipError(error);
    }
  }
}

function bindIfFree(address: string, port: number) {
  try {
    return bindSocket({ protocol: "udp", address, port });
  } catch (error) {
    if (systemCode(error) === "EADDRINUSE") return undefined;
    throw asBoxshipError(error);
  }
}

function addressAt(message: Buffer, start: number, end: number): string {
  const bytes = message.subarray(start, end);
  if (bytes.length === 4) return bytes.join(".");
  return Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16)).join(":");
}
