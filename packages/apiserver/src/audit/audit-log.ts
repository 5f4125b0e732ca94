import { type FileHandle, open, rename } from "node:fs/promises";
import { isObject, type Json, type JsonObject, parseJson } from "@boxship/api";
import type { Clock, Logger } from "@boxship/base";
import type { Impersonated } from "../access/impersonate.ts";
import type { RemoteServer } from "../authentication/read-kubeconfig.ts";
import type { RequestInfo, User } from "../contract.ts";
import type { BytesReply, Reply } from "../http/reply.ts";
import { userInfo } from "../special/access-reviews.ts";
import type { AuditPolicy, AuditStage } from "./audit-policy.ts";
import { AuditWebhook } from "./audit-webhook.ts";

/** A longer file is set aside, in the place of the one that was set aside before. */
const LONGEST_FILE = 100 * 1024 * 1024;

export interface AuditLogOptions {
  readonly policy: AuditPolicy;
  /** Appended to, a line of JSON an event. */
  readonly path: string;
  /** Who is sent the events, too. @default nobody */
  readonly webhook?: RemoteServer;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What is known of a request when it begins. */
export interface AuditedRequest {
  readonly info: RequestInfo;
  readonly uri: string;
  /** Undefined where nobody could be made out. */
  readonly user: User | undefined;
  readonly impersonated?: Impersonated;
  readonly address: string;
  readonly userAgent: string;
  /** What the client and we know the request by. */
  readonly id: string;
}

/** Writes down who asked for what, as the policy says, with mode 0600. */
export class AuditLog implements AsyncDisposable {
  readonly #options: AuditLogOptions;
  #file: FileHandle;
  #size: number;
  #writing: Promise<void> = Promise.resolve();
  readonly #webhook: AuditWebhook | undefined;

  private constructor(options: AuditLogOptions, file: FileHandle, size: number) {
    this.#options = options;
    const { webhook, clock, logger } = options;
    this.#webhook = webhook === undefined ? undefined : new AuditWebhook(webhook, clock, logger);
    this.#file = file;
    this.#size = size;
  }

  static async open(options: AuditLogOptions): Promise<AuditLog> {
    const file = await open(options.path, "a", 0o600);
    return new AuditLog(options, file, (await file.stat()).size);
  }

  /** @returns undefined where the policy wants nothing of it */
  begin(request: AuditedRequest): AuditedExchange | undefined {
    const { level, omitted, omitsManagedFields } = this.#options.policy.decide(request.info, request.user);
    if (level === "None") return undefined;
    const { clock } = this.#options;
    const write = (event: JsonObject, stage: AuditStage, bodies: Bodies = {}): void => {
      if (omitted.has(stage)) return;
      this.#write({ ...event, stage, stageTimestamp: stamp(clock) }, bodies);
    };
    return new AuditedExchange(request, { level, omitsManagedFields, write, received: stamp(clock) });
  }

  #write(event: JsonObject, { request, response }: Bodies): void {
    let text = JSON.stringify(event);
    // They are JSON already, and may be long.
    if (request !== undefined) text = `${text.slice(0, -1)},"requestObject":${request}}`;
    if (response !== undefined) text = `${text.slice(0, -1)},"responseObject":${response}}`;
    this.#webhook?.send(text);
    const line = `${text}\n`;
    this.#writing = this.#writing.then(async () => {
      try {
        if (this.#size > LONGEST_FILE) await this.#setAside();
        await this.#file.appendFile(line);
        this.#size += Buffer.byteLength(line);
      } catch (error) {
        this.#options.logger.error("an audit event could not be written", { error });
      }
    });
  }

  async #setAside(): Promise<void> {
    const { path } = this.#options;
    await rename(path, `${path}.1`);
    const next = await open(path, "a", 0o600);
    await this.#file.close();
    [this.#file, this.#size] = [next, 0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
    await this.#file.close();
    await this.#webhook?.[Symbol.asyncDispose]();
  }
}

const stamp = (clock: Clock): string => new Date(clock.now()).toISOString().replace("Z", "000Z");

/** Objects as JSON, each in one line. */
interface Bodies {
  readonly request?: string | undefined;
  readonly response?: string | undefined;
}

interface Exchange {
  readonly level: string;
  readonly omitsManagedFields: boolean;
  readonly received: string;
  write(event: JsonObject, stage: AuditStage, bodies?: Bodies): void;
}

/** One request, from its beginning to its end. */
export class AuditedExchange {
  readonly #exchange: Exchange;
  readonly #event: JsonObject;
  #request: string | undefined;

  constructor(request: AuditedRequest, exchange: Exchange) {
    this.#exchange = exchange;
    this.#event = eventOf(request, exchange);
    exchange.write(this.#event, "RequestReceived");
  }

  /** What the body says that was sent, in whichever encoding. */
  received(body: Json): void {
    const { level, omitsManagedFields } = this.#exchange;
    if (level !== "Request" && level !== "RequestResponse") return;
    this.#request = JSON.stringify(omitsManagedFields ? withoutManagers(body) : body);
  }

  /** Whether it was allowed, and why. */
  decided(decision: "allow" | "forbid", reason: string): void {
    this.#event["annotations"] = {
      ...(this.#event["annotations"] as JsonObject | undefined),
      "authorization.k8s.io/decision": decision,
      "authorization.k8s.io/reason": reason,
    };
  }

  /** What admission notes; of one key, the first. */
  annotate(key: string, value: string, what: "always" | "detail" = "always"): void {
    const { level } = this.#exchange;
    if (what === "detail" && level !== "Request" && level !== "RequestResponse") return;
    this.#event["annotations"] = { [key]: value, ...(this.#event["annotations"] as JsonObject | undefined) };
  }

  /** A watch has begun. */
  started(): void {
    const event = { ...this.#event, responseStatus: { metadata: {}, code: 200 } };
    this.#exchange.write(event, "ResponseStarted", { request: this.#request });
  }

  answered(reply: Reply): void {
    const status = "status" in reply ? reply.status : 200;
    const isWhole = this.#exchange.level === "RequestResponse";
    const text = "status" in reply && (status >= 400 || isWhole) ? jsonOf(reply) : "";
    const { status: word, reason, message } = (status >= 400 && parsed(text)) || {};
    const event: JsonObject = {
      ...this.#event,
      responseStatus: {
        metadata: {},
        ...(word === undefined ? {} : { status: word }),
        ...(message === undefined ? {} : { message }),
        ...(reason === undefined ? {} : { reason }),
        code: status,
      },
    };
    let response = isWhole && isLine(text) ? text : undefined;
    if (response !== undefined && this.#exchange.omitsManagedFields)
      response = JSON.stringify(withoutManagers(parseJson(response)));
    this.#exchange.write(event, "ResponseComplete", { request: this.#request, response });
  }
}

/** As our own answers are written: in one line. */
function jsonOf({ json, contentType, body }: BytesReply): string {
  const parts = json?.() ?? (contentType === "application/json" ? body : []);
  return Buffer.concat(parts).toString().trim();
}

/** Of an object, of the items of a list, and of the objects of a table's rows. */
function withoutManagers(value: Json): Json {
  if (!isObject(value)) return value;
  const { metadata, items, rows } = value;
  const { managedFields: _, ...others } = isObject(metadata) ? metadata : {};
  return {
    ...value,
    ...(isObject(metadata) ? { metadata: others } : {}),
    ...(Array.isArray(items) ? { items: items.map(withoutManagers) } : {}),
    ...(Array.isArray(rows) ? { rows: rows.map((row) => withoutOwn(row)) } : {}),
  };
}

const withoutOwn = (row: Json): Json =>
  isObject(row) && row["object"] !== undefined ? { ...row, object: withoutManagers(row["object"]) } : row;

const isLine = (text: string): boolean => text.startsWith("{") && text.endsWith("}") && !text.includes("\n");

function parsed(text: string): JsonObject | undefined {
  try {
    return parseJson(text) as JsonObject;
  } catch {
    return undefined;
  }
}

function eventOf(request: AuditedRequest, { level, received }: Exchange): JsonObject {
  const { info, uri, user, impersonated, address, userAgent } = request;
  return {
    kind: "Event",
    apiVersion: "audit.k8s.io/v1",
    level,
    auditID: request.id,
    requestURI: uri,
    verb: info.verb,
    user: user === undefined ? {} : userInfo(user),
    ...(impersonated === undefined ? {} : { impersonatedUser: userInfo(impersonated.user) }),
    ...(impersonated === undefined || impersonated.constraint === ""
      ? {}
      : { authenticationMetadata: { impersonationConstraint: impersonated.constraint } }),
    sourceIPs: [address],
    userAgent,
    ...(info.resource === undefined ? {} : { objectRef: referenceOf(info.resource) }),
    requestReceivedTimestamp: received,
  };
}

function referenceOf({ group, version, resource, namespace, name, subresource }: NonNullable<RequestInfo["resource"]>) {
  const entries = { resource, namespace, name, apiGroup: group, apiVersion: version, subresource };
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== "")) as JsonObject;
}
