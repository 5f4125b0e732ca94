import type { IncomingMessage, ServerResponse } from "node:http";
import { asBoxshipError, type Logger, NotFound, Unsupported } from "@boxship/base";
import type { Action } from "../access/contract.ts";
import { blobDelete } from "../routes/blob-delete.ts";
import { blobGet } from "../routes/blob-get.ts";
import { catalog } from "../routes/catalog.ts";
import { manifestDelete } from "../routes/manifest-delete.ts";
import { manifestGet } from "../routes/manifest-get.ts";
import { manifestPut } from "../routes/manifest-put.ts";
import { referrers } from "../routes/referrers.ts";
import { tagsList } from "../routes/tags-list.ts";
import { uploadCancel } from "../routes/upload-cancel.ts";
import { uploadPatch } from "../routes/upload-patch.ts";
import { uploadPut } from "../routes/upload-put.ts";
import { uploadStart } from "../routes/upload-start.ts";
import { uploadStatus } from "../routes/upload-status.ts";
import { RepositoryStore } from "../store/repository-store.ts";
import { type Call, json, type RegistryParts } from "./call.ts";
import { wireError } from "./wire-error.ts";

type Route = (call: Call) => void | Promise<void>;
type Methods = Readonly<Record<string, Route>>;

/** The path behind the repository's name, with what it leads to (OCI distribution spec 1.1, "Endpoints"). */
const WITHIN: readonly { readonly pattern: RegExp; readonly methods: Methods }[] = [
  {
    pattern: /^\/v2\/(.+)\/manifests\/([^/]+)$/,
    methods: { GET: manifestGet, HEAD: manifestGet, PUT: manifestPut, DELETE: manifestDelete },
  },
  { pattern: /^\/v2\/(.+)\/blobs\/uploads\/?()$/, methods: { POST: uploadStart } },
  {
    pattern: /^\/v2\/(.+)\/blobs\/uploads\/([^/]+)$/,
    methods: { GET: uploadStatus, PATCH: uploadPatch, PUT: uploadPut, DELETE: uploadCancel },
  },
  { pattern: /^\/v2\/(.+)\/blobs\/([^/]+)$/, methods: { GET: blobGet, HEAD: blobGet, DELETE: blobDelete } },
  { pattern: /^\/v2\/(.+)\/tags\/list()$/, methods: { GET: tagsList } },
  { pattern: /^\/v2\/(.+)\/referrers\/([^/]+)$/, methods: { GET: referrers } },
];

/** `GET /v2/`: clients ask it whether this is a registry, and whether they may come in. */
async function version(call: Call): Promise<void> {
  await call.allow("pull", "");
  json(call, {});
}

/** `GET /token` */
async function token(call: Call): Promise<void> {
  const { access, request, query } = call;
  if (access.issueToken === undefined) throw unknownPath("/token");
  const scopes = query.getAll("scope").flatMap((scope) => scope.split(" "));
  json(call, await access.issueToken(request, scopes), { "cache-control": "no-store" });
}

interface Found {
  readonly methods: Methods;
  readonly repository: string;
  readonly reference: string;
}

function find(path: string): Found {
  if (path === "/v2" || path === "/v2/") {
    return { methods: { GET: version, HEAD: version }, repository: "", reference: "" };
  }
  if (path === "/token") return { methods: { GET: token }, repository: "", reference: "" };
  if (path === "/v2/_catalog") return { methods: { GET: catalog }, repository: "", reference: "" };
  for (const { pattern, methods } of WITHIN) {
    const match = pattern.exec(path);
    if (match === null) continue;
    return { methods, repository: RepositoryStore.checkName(match[1] ?? ""), reference: match[2] ?? "" };
  }
  throw unknownPath(path);
}

function unknownPath(path: string): NotFound {
  return new NotFound(`${path} is no path of a registry`, { subject: { kind: "path", name: path } });
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw unknownPath(path);
  }
}

/** Answers the requests of one registry. Routes only throw; here errors become answers. */
export function registryHandler(parts: RegistryParts, logger: Logger) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.setHeader("docker-distribution-api-version", "registry/2.0");
    const [path = "", search = ""] = (request.url ?? "").split("?", 2);
    let asked: { readonly action: Action; readonly repository: string } | undefined;
    try {
      const { methods, repository, reference } = find(decoded(path));
      const call: Call = {
        ...parts,
        request,
        response,
        repository,
        reference,
        query: new URLSearchParams(search),
        allow: async (action, of = repository) => {
          asked = { action, repository: of };
          await parts.access.check(request, action, of);
        },
      };
      const route = methods[request.method ?? ""];
      if (route === undefined) {
        response.setHeader("allow", Object.keys(methods).join(", "));
        throw new Unsupported(`${request.method} is not possible here`, { subject: { kind: "method", name: path } });
      }
      await route(call);
    } catch (error) {
      refuse(request, response, error, asked, parts, logger);
    }
  };
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
  asked: { readonly action: Action; readonly repository: string } | undefined,
  { access }: RegistryParts,
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
  const challenge =
    status === 401 && asked !== undefined ? access.challenge(request, asked.action, asked.repository) : undefined;
  if (challenge !== undefined) response.setHeader("www-authenticate", challenge);
  const range =
    body.errors[0]?.code === "BLOB_UPLOAD_INVALID" && status === 416 ? offsetOf(body.errors[0]?.detail) : {};
  const text = JSON.stringify(body);
  // What was not read of the body would be taken for the next request.
  const close = request.complete ? {} : { connection: "close" };
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(text)),
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
