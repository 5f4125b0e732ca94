import { type KeyObject, randomUUID } from "node:crypto";
import { failure, noSuchRoute } from "@boxship/api";
import { type AnonymousPolicy, authenticate } from "../access/authenticate.ts";
import { authorize } from "../access/authorize.ts";
import { asksForAnother, type Impersonated, type Impersonation } from "../access/impersonate.ts";
import type { ExtensionServers } from "../aggregation/extension-servers.ts";
import type { AuditedExchange, AuditLog } from "../audit/audit-log.ts";
import type { Attributes, Authenticator, Authorizer, RequestInfo, User } from "../contract.ts";
import type { DiscoveryDocuments } from "../discovery/discovery-documents.ts";
import type { FlowControl, Seat } from "../flowcontrol/flow-control.ts";
import type { ServerContext } from "../server-context.ts";
import { dispatchResource } from "../verbs/dispatch.ts";
import { KUBERNETES_VERSION } from "../version.ts";
import { type Accept, negotiate } from "./accept.ts";
import { type HealthCheck, healthReply } from "./health.ts";
import { mediaType } from "./parse-body.ts";
import type { ParsedTarget, ParsedTargets } from "./parsed-targets.ts";
import { peerCertificate } from "./peer-certificate.ts";
import { type Incoming, readBody } from "./read-body.ts";
import { errorReply, jsonReply, type Reply, textReply } from "./reply.ts";
import { type Outgoing, sendReply } from "./send-reply.ts";
import { takeTurns } from "./take-turns.ts";

/** What the listener needs besides the verbs' context. */
export interface Listening {
  readonly context: ServerContext;
  readonly authenticators: readonly Authenticator[];
  readonly anonymous: AnonymousPolicy;
  readonly impersonation: Impersonation;
  /** Who asks on connections whose caller is known without being asked. */
  readonly callerOf: (request: Incoming) => User | undefined;
  readonly targets: ParsedTargets;
  readonly discovery: DiscoveryDocuments;
  /** Versions that others serve. */
  readonly extensions: ExtensionServers;
  /** Of the authority of front proxies. @default there are none */
  readonly frontProxy?: KeyObject;
  readonly checks: readonly HealthCheck[];
  readonly openapi: (path: string, query: URLSearchParams, headers: Incoming["headers"]) => Promise<Reply | undefined>;
  /** What others need to check our tokens. */
  readonly tokenDocument: (path: string) => Reply | undefined;
  readonly metrics: () => Reply;
  /** Writes down who asks for what. @default nobody does */
  readonly audit?: AuditLog;
  /** Seals secrets by a new key. @default nobody can ask for it */
  readonly rotateKeys?: () => Promise<number>;
  /** Lets requests in. */
  readonly flow: FlowControl;
  /** Called when a request has been answered. */
  readonly measured: (verb: string, resource: string, code: number, milliseconds: number) => void;
}

/** Answers one request, whatever happens. */
export async function handleRequest(listening: Listening, request: Incoming, response: Outgoing): Promise<void> {
  const started = performance.now();
  const warnings: string[] = [];
  const { method = "GET", headers } = request;
  const target = listening.targets.get(method, request.url ?? "/");
  const info = target?.info;
  const auditId = auditIdOf(headers["audit-id"]);
  const always: Record<string, string> = { "audit-id": auditId };
  let reply: Reply;
  let about = { verb: method, resource: "" };
  let exchange: AuditedExchange | undefined;
  const begin = (asked: RequestInfo, user?: User, other?: Impersonated): void => {
    exchange ??= listening.audit?.begin({
      info: asked,
      uri: request.url ?? "",
      user,
      ...(other === undefined || other.user === user ? {} : { impersonated: other }),
      address: request.socket.remoteAddress ?? "",
      userAgent: headers["user-agent"] ?? "",
      id: auditId,
    });
  };
  let seat: Seat | undefined;
  try {
    if (info === undefined) throw failure("BadRequest", "the path cannot be decoded");
    const { url, authorizedAs } = target as Required<ParsedTarget>;
    about = { verb: info.verb, resource: info.resource?.resource ?? "" };
    const certificate = peerCertificate(request, listening.frontProxy, listening.context.clock.now());
    // What is known at once is not waited for: most requests are answered in one turn.
    const known =
      listening.callerOf(request) ??
      authenticate(
        listening.authenticators,
        {
          headers,
          rawHeaders: request.rawHeaders,
          certificate: certificate === "refused" ? undefined : certificate,
          isRefused: certificate === "refused",
        },
        url.pathname,
        listening.anonymous,
      );
    const caller = known instanceof Promise ? await known : known;
    const other = asksForAnother(headers)
      ? await listening.impersonation
          .impersonate(caller, authorizedAs ?? info, request.rawHeaders)
          .catch((error: unknown) => {
            begin(info, caller);
            throw error;
          })
      : undefined;
    const user = other?.user ?? caller;
    begin(info, caller, other);
    const entered = listening.flow.enter({ info, named: authorizedAs ?? info, query: url.searchParams }, user);
    seat = entered instanceof Promise ? await entered : entered;
    always["x-kubernetes-pf-flowschema-uid"] = seat.flow.schemaUid;
    always["x-kubernetes-pf-prioritylevel-uid"] = seat.levelUid;
    const deciding = decided(exchange, listening.context.authorizers, { ...(authorizedAs ?? info), user });
    if (deciding !== undefined) await deciding;
    if (hasGap(url.pathname, info)) throw noSuchRoute();
    const pause = takeTurns();
    const replying =
      listening.extensions.reply(url.pathname, info, url.searchParams, user, request) ??
      (info.resource === undefined
        ? otherReply(listening, url, method, headers)
        : dispatchResource(listening.context, info, info.resource, {
            user,
            query: url.searchParams,
            acceptHeader: headers.accept,
            contentType: mediaType(headers["content-type"]),
            userAgent: headers["user-agent"] ?? "",
            body: async () => {
              const body = await readBody(request, listening.context.clock);
              await pause(body.length);
              return body;
            },
            received: (body) => exchange?.received(body),
            pause,
            warn: (message) => void warnings.push(message),
            annotate: (...noted) => exchange?.annotate(...noted),
          }));
    reply = replying instanceof Promise ? await replying : replying;
  } catch (error) {
    if (info !== undefined) begin(info);
    reply = errorReply(error);
    if ("status" in reply && reply.status >= 500)
      listening.context.logger.error("a request failed", { error, path: target?.url.pathname });
  }
  if ("stream" in reply) {
    // What it holds up from here on is its own connection.
    seat?.[Symbol.dispose]();
    exchange?.started();
    for (const [name, value] of Object.entries(always)) response.setHeader(name, value);
    await reply.stream(response);
  } else {
    const gzip = acceptsGzip(headers["accept-encoding"]);
    const encoding = encodingFor(headers.accept, reply.status);
    const options = { head: method === "HEAD", gzip, encoding, warnings, headers: always };
    const sending = sendReply(response, reply, options);
    if (sending !== undefined) await sending;
  }
  seat?.[Symbol.dispose]();
  exchange?.answered(reply);
  listening.measured(about.verb, about.resource, "status" in reply ? reply.status : 200, performance.now() - started);
}

/** @returns undefined where it is allowed without having to wait @throws Forbidden */
function decided(
  exchange: AuditedExchange | undefined,
  authorizers: readonly Authorizer[],
  attributes: Attributes,
): Promise<void> | undefined {
  const allow = (reason: string) => exchange?.decided("allow", reason);
  const forbid = (error: unknown): never => {
    exchange?.decided("forbid", "");
    throw error;
  };
  try {
    const reason = authorize(authorizers, attributes);
    if (reason instanceof Promise) return reason.then(allow, forbid);
    allow(reason);
    return undefined;
  } catch (error) {
    return forbid(error);
  }
}

/** Nothing is at paths with empty parts, but for what is passed on as it is. */
const hasGap = (path: string, { resource }: RequestInfo): boolean =>
  path.includes("//") && !/^proxy(?:$|\/)/.test(resource?.subresource ?? "");

/** A client may choose it, to find its request in the audit log. */
function auditIdOf(header: string | readonly string[] | undefined): string {
  return typeof header === "string" && /^[!-~]{1,64}$/.test(header) ? header : randomUUID();
}

/** What a single object is turned into on its way; errors are never told in YAML. */
function encodingFor(accept: string | undefined, status: number): Accept["encoding"] {
  if (accept === undefined || !/\b(?:yaml|protobuf)\b/.test(accept)) return "json";
  try {
    const { encoding } = negotiate(accept, { isForm: () => true, protobuf: "objects" });
    return encoding === "yaml" && status >= 300 ? "json" : encoding;
  } catch {
    return "json";
  }
}

async function otherReply(
  { discovery, checks, openapi, tokenDocument, metrics, rotateKeys }: Listening,
  { pathname, searchParams }: URL,
  method: string,
  headers: Incoming["headers"],
): Promise<Reply> {
  if (method === "POST" && pathname === ROTATE_KEYS_PATH && rotateKeys !== undefined) {
    return jsonReply({ sealed: await rotateKeys() });
  }
  if (method !== "GET" && method !== "HEAD") throw noSuchRoute();
  const health = await healthReply(pathname, searchParams, checks);
  if (health !== undefined) return health;
  const path = pathname.replace(/\/+$/, "");
  if (path === "/version") return jsonReply(KUBERNETES_VERSION);
  if (path === "/metrics") return metrics();
  if (path === "") return jsonReply({ paths: ROOT_PATHS });
  if (path === "/api" || path.startsWith("/api/") || path === "/apis" || path.startsWith("/apis/")) {
    return discovery.reply(path, headers);
  }
  return tokenDocument(path) ?? (await openapi(path, searchParams, headers)) ?? textReply("404 page not found\n", 404);
}

/** As upstream has it: by its name alone, and not where it has a weight, which may be nothing. */
const acceptsGzip = (header: string | string[] | undefined): boolean =>
  header !== undefined &&
  String(header)
    .split(",")
    .some((one) => one.trim() === "gzip");

/** Ours: `boxship store rotate-keys`. */
const ROTATE_KEYS_PATH = "/boxship/rotate-keys";

const ROOT_PATHS = [
  "/.well-known/openid-configuration",
  "/api",
  "/api/v1",
  "/apis",
  "/healthz",
  "/livez",
  "/metrics",
  "/openapi/v2",
  "/openapi/v3",
  "/openid/v1/jwks",
  "/readyz",
  "/version",
];
