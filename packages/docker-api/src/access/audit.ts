import type { Socket } from "node:net";
import type { ApiCall } from "../http/call.ts";
import { isObject } from "../wire/codec.ts";

/** Who is on the other end of a unix socket, as the kernel knew it when they connected. */
export interface Peer {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** One line of the audit log. Nothing in it is a secret: see {@link maskedQuery} and {@link detailsOf}. */
export interface AuditEntry {
  /** RFC 3339. */
  readonly time: string;
  /** The same for the request and its answer; unique while the daemon runs. */
  readonly call: string;
  /** `request` before anything is done, `answer` when it is over; only the latter for what was refused at once. */
  readonly phase: "request" | "answer";
  readonly socket: string;
  readonly peer?: Peer;
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly status?: number;
  readonly milliseconds?: number;
}

export interface AuditOptions {
  /** Name of the socket that is served. */
  readonly socket: string;
  /** Resolves when the entry is durable. A rejection refuses the call. */
  readonly record: (entry: AuditEntry) => Promise<void>;
  readonly peer?: (socket: Socket) => Peer | undefined;
}

/** Parameters whose values say what a call is about and are never secret; the values of others are not written. */
const OPEN_PARAMETERS = new Set(
  (
    "all condition container copyUIDGID detachKeys dockerfile filters force fromImage h kind link logs name " +
    "networkmode noOverwriteDirNonDir noprune path pause platform repo reset rm signal size stderr stdin stdout " +
    "stream t tag target v version w"
  ).split(" "),
);

export function maskedQuery(query: URLSearchParams): Readonly<Record<string, string>> | undefined {
  if (query.size === 0) return undefined;
  return Object.fromEntries([...query].map(([name, value]) => [name, OPEN_PARAMETERS.has(name) ? value : "***"]));
}

/** Fields of bodies that tell what was asked for; environment, commands, labels and options may hold secrets. */
const OPEN_FIELDS = new Set(
  (
    "Attachable Binds CapAdd CgroupParent Container Devices Driver Force Group Image Images Internal IpcMode Label " +
    "Mounts Name NetworkMode Path PathOnHost PidMode Privileged PublishAllPorts Role Runtime SecurityOpt Source Target " +
    "Tty Type User UsernsMode VolumesFrom"
  )
    .split(" ")
    .map((name) => name.toLowerCase()),
);
const NESTED_FIELDS = new Set(["hostconfig", "networkingconfig", "endpointconfig"]);
const LONGEST = 1000;

/** What a body asks for, without what may be secret. */
export function detailsOf(body: unknown): Readonly<Record<string, unknown>> | undefined {
  if (!isObject(body)) return undefined;
  const found = Object.entries(body).flatMap(([name, value]) => {
    const key = name.toLowerCase();
    if (NESTED_FIELDS.has(key)) return [[name, detailsOf(value)] as const];
    return OPEN_FIELDS.has(key) && !isNothing(value) ? [[name, shown(value)] as const] : [];
  });
  const kept = found.filter(([, value]) => value !== undefined);
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}

function isNothing(value: unknown): boolean {
  return value === null || value === "" || value === false || (Array.isArray(value) && value.length === 0);
}

function shown(value: unknown): unknown {
  if (typeof value === "string") return value.slice(0, LONGEST);
  if (Array.isArray(value))
    return value.slice(0, 100).map((entry) => (isObject(entry) ? detailsOf(entry) : shown(entry)));
  return isObject(value) ? detailsOf(value) : value;
}

/** Writes the lines of one call. */
export class CallAudit {
  readonly #options: AuditOptions;
  readonly #call: ApiCall;
  readonly #started: number;
  readonly #peer: Peer | undefined;
  #details: Readonly<Record<string, unknown>> | undefined;

  constructor(options: AuditOptions, call: ApiCall) {
    this.#options = options;
    this.#call = call;
    this.#started = call.context.clock.monotonic();
    // Now, while it is there.
    this.#peer = options.peer?.(call.request.socket);
  }

  /** Before the handler runs: what cannot be written down is not done. */
  async request(body: unknown): Promise<void> {
    this.#details = detailsOf(body);
    await this.#options.record(this.#entry("request"));
  }

  async answer(): Promise<void> {
    const { response, context } = this.#call;
    const milliseconds = Math.round(context.clock.monotonic() - this.#started);
    await this.#options.record({ ...this.#entry("answer"), status: response.statusCode, milliseconds });
  }

  #entry(phase: AuditEntry["phase"]): AuditEntry {
    const { id, context, request, query } = this.#call;
    const peer = this.#peer;
    const masked = maskedQuery(query);
    return {
      time: new Date(context.clock.now()).toISOString(),
      call: id,
      phase,
      socket: this.#options.socket,
      ...(peer === undefined ? {} : { peer }),
      method: request.method ?? "",
      path: (request.url ?? "").replace(/\?.*$/s, ""),
      ...(masked === undefined ? {} : { query: masked }),
      ...(this.#details === undefined ? {} : { details: this.#details }),
    };
  }
}
