import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { asBoxshipError, type Logger, Unsupported } from "@boxship/base";
import type { Action } from "../access/contract.ts";
import { errorPage } from "../ui/pages.ts";
import type { Call, RegistryParts } from "./call.ts";
import { type Found, findRoute } from "./routes.ts";
import { wireError } from "./wire-error.ts";

/** What was asked for when it was refused, for the challenge. */
interface Asked {
  readonly action: Action;
  readonly repository: string;
}

/** Answers the requests of one registry. Routes only throw; here errors become answers. */
export function registryHandler(parts: RegistryParts, logger: Logger) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.setHeader("docker-distribution-api-version", "registry/2.0");
    // What somebody pushed is never a page, whatever it looks like.
    response.setHeader("x-content-type-options", "nosniff");
    parts.slowClients.watch(request, response);
    const { method = "" } = request;
    const url = originForm(request.url ?? "");
    const place = url.indexOf("?");
    const [path, search] = place === -1 ? [url, ""] : [url.slice(0, place), url.slice(place + 1)];
    let asked: Asked | undefined;
    let found: Found | undefined;
    const measure = measuring(parts, request, response, () => found?.name ?? "none");
    try {
      found = findRoute(path);
      // What can be fetched can be asked for without its content (RFC 9110, section 9.1).
      const route = found.methods[method === "HEAD" ? "GET" : method];
      if (route === undefined) {
        const known = Object.keys(found.methods).flatMap((name) => (name === "GET" ? ["GET", "HEAD"] : name));
        response.setHeader("allow", known.join(", "));
        throw new Unsupported(`${method} is not possible here`, { subject: { kind: "method", name: path } });
      }
      const query = new URLSearchParams(search);
      const named = withNamespace(parts, response, found, query);
      const call = makeCall(parts, request, response, named, query, (next) => (asked = next));
      await route(call);
    } catch (error) {
      const page = found?.name === "page";
      refuse(request, response, error, { challenge: challengeOf(parts, request, asked, page), page }, logger);
    } finally {
      measure();
    }
  };
}

/** Proxies may ask with the whole address (RFC 9112, section 3.2.2). */
function originForm(target: string): string {
  const [, rest] = /^https?:\/\/[^/?#]*(.*)$/is.exec(target) ?? [];
  if (rest === undefined) return target;
  return rest.startsWith("/") ? rest : `/${rest}`;
}

/** A client that knows a repository by its own registry's name (OCI distribution spec 1.1, "Registry Proxying"). */
function withNamespace(
  { upstreams }: RegistryParts,
  response: ServerResponse,
  found: Found,
  query: URLSearchParams,
): Found {
  const registry = query.get("ns");
  const repository = registry === null ? undefined : upstreams.repositoryOf(registry, found.repository);
  if (registry === null || repository === undefined || found.repository === "") return found;
  response.setHeader("oci-namespace", registry);
  return { ...found, repository };
}

function makeCall(
  parts: RegistryParts,
  request: IncomingMessage,
  response: ServerResponse,
  { repository, reference }: Found,
  query: URLSearchParams,
  note: (asked: Asked) => void,
): Call {
  let user = "";
  return {
    ...parts,
    request,
    response,
    repository,
    reference,
    query,
    allow: async (action, of = repository) => {
      note({ action, repository: of });
      user = await parts.access.check(request, action, of);
    },
    visible: async () => {
      note({ action: "pull", repository: "" });
      return parts.access.visible(request);
    },
    tell: async (event) => {
      if (!parts.webhooks.wants(event.action, repository)) return;
      const told = parts.webhooks.tell({ ...event, repository, user }, request);
      // Only what changes something waits until it is sure to be told.
      if (event.action !== "pull") await told;
      else told.catch(() => {});
    },
  };
}

/** What of a connection has been counted already. */
const counted = new WeakMap<Socket, { readonly read: number; readonly written: number }>();

function measuring(
  { metrics }: RegistryParts,
  { socket, method = "" }: IncomingMessage,
  response: ServerResponse,
  route: () => string,
): () => void {
  const ended = metrics.request();
  return () => {
    ended(route(), method, response.statusCode);
    const { read, written } = counted.get(socket) ?? { read: 0, written: 0 };
    const { bytesRead, bytesWritten } = socket;
    counted.set(socket, { read: bytesRead, written: bytesWritten });
    metrics.transferred("in", bytesRead - read);
    metrics.transferred("out", bytesWritten - written);
  };
}

type Challenge = () => string | undefined;

/** Of a page, a browser's own question for a name and a password. */
function challengeOf(
  { access }: RegistryParts,
  request: IncomingMessage,
  asked: Asked | undefined,
  basic: boolean,
): Challenge {
  if (asked === undefined) return () => undefined;
  return basic
    ? () => 'Basic realm="registry", charset="UTF-8"'
    : () => access.challenge(request, asked.action, asked.repository);
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
  { challenge, page }: { readonly challenge: Challenge; readonly page: boolean },
  logger: Logger,
): void {
  // The client went away in the middle; nobody is there to hear it.
  if (request.destroyed && !request.complete) return;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status, body } = wireError(error);
  if (status >= 500) logger.error(body.errors[0]?.message ?? "failed", { error: asBoxshipError(error).stack });
  const authenticate = status === 401 ? challenge() : undefined;
  if (authenticate !== undefined) response.setHeader("www-authenticate", authenticate);
  const range =
    body.errors[0]?.code === "BLOB_UPLOAD_INVALID" && status === 416 ? offsetOf(body.errors[0]?.detail) : {};
  if (page && request.headers.accept?.includes("text/html") === true) {
    errorPage(response, status, body.errors[0]?.message ?? "");
    return;
  }
  const text = JSON.stringify(body);
  // What was not read of the body would be taken for the next request.
  const close = request.complete ? {} : { connection: "close" };
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(text)),
    ...(status === 429 && { "retry-after": "10" }),
    ...range,
    ...close,
  });
  response.end(request.method === "HEAD" ? undefined : text);
}

/** Of a piece that begins at the wrong byte: where it goes on. */
function offsetOf(detail: unknown): Record<string, string> {
  const offset = Number((detail as Readonly<Record<string, string>>)["upload range"]);
  return Number.isSafeInteger(offset) ? { range: `0-${Math.max(0, offset - 1)}` } : {};
}
