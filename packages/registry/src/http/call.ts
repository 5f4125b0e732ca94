import type { IncomingMessage, ServerResponse } from "node:http";
import { InvalidArgument, ResourceExhausted } from "@boxship/base";
import { type Digest, parseDigest } from "@boxship/oci";
import type { Access } from "../access/contract.ts";
import type { RegistryEvent } from "../notify/envelope.ts";
import type { Webhooks } from "../notify/webhooks.ts";
import type { RegistryListener } from "../store/image-source.ts";
import type { RepositoryStore } from "../store/repository-store.ts";
import type { Uploads } from "../store/uploads.ts";
import type { PullThrough } from "../upstream/pull-through.ts";
import type { Metrics } from "./metrics.ts";
import type { SlowClients } from "./slow-clients.ts";

/** What routes work on. */
export interface RegistryParts {
  readonly repositories: RepositoryStore;
  readonly uploads: Uploads;
  readonly access: Access;
  /** Whether blobs and manifests can be deleted. */
  readonly deletion: boolean;
  readonly listener: RegistryListener | undefined;
  readonly upstreams: PullThrough;
  readonly webhooks: Webhooks;
  readonly metrics: Metrics;
  readonly slowClients: SlowClients;
}

/** One request on its way through a route. */
export interface Call extends RegistryParts {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The repository; empty for routes without one. */
  readonly repository: string;
  /** The last part of the path, decoded: tag, digest, upload. */
  readonly reference: string;
  readonly query: URLSearchParams;
  /** @throws PermissionDenied */
  allow(action: "pull" | "push" | "delete", repository?: string): Promise<void>;
  /** Which repositories lists show. @throws PermissionDenied */
  visible(): Promise<(repository: string) => boolean>;
  /** Tells webhooks of what was done in {@link repository}. */
  tell(event: Omit<RegistryEvent, "repository" | "user">): Promise<void>;
}

/** The body in pieces. Whoever stops in the middle can still be answered. */
export function bodyOf(request: IncomingMessage): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => request.iterator({ destroyOnReturn: false }) };
}

/** Answers with headers alone. */
export function empty(call: Call, status: number, headers: Readonly<Record<string, string>> = {}): void {
  call.response.writeHead(status, { "content-length": "0", ...headers }).end();
}

/** What a client that pushed should tell its user (OCI distribution spec 1.1, "Warnings"). */
export function warningOf({ repositories, repository }: Call): Readonly<Record<string, string>> {
  const warning = repositories.warning(repository);
  return warning === undefined ? {} : { warning: `299 - ${JSON.stringify(warning)}` };
}

export function json(call: Call, value: unknown, headers: Readonly<Record<string, string>> = {}): void {
  const body = JSON.stringify(value);
  const length = String(Buffer.byteLength(body));
  call.response.writeHead(200, { "content-type": "application/json", ...headers, "content-length": length });
  call.response.end(call.request.method === "HEAD" ? undefined : body);
}

/** @throws ResourceExhausted beyond `limit` bytes */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const tooLarge = () => {
    return new ResourceExhausted(`the body has more than ${limit} bytes`, { subject: { kind: "body", name: "body" } });
  };
  if (Number(request.headers["content-length"] ?? 0) > limit) throw tooLarge();
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of bodyOf(request)) {
    size += piece.byteLength;
    if (size > limit) throw tooLarge();
    pieces.push(piece);
  }
  return Buffer.concat(pieces, size);
}

/** @throws InvalidArgument */
export function digestArgument(text: string | null): Digest {
  try {
    return parseDigest(text ?? "");
  } catch (error) {
    throw new InvalidArgument(`invalid digest ${JSON.stringify(text)}`, {
      cause: error,
      subject: { kind: "digest", name: text ?? "" },
    });
  }
}

/** Names in one part of a list, also where nobody asked for parts: to write a million of them would hold up everybody else. */
const MOST_NAMES = 10_000;

/** `?n=` and `?last=` of lists. @throws InvalidArgument */
export function pageOf(query: URLSearchParams): { readonly limit: number; readonly after?: string } {
  const [n, last] = [query.get("n"), query.get("last")];
  if (n !== null && !/^\d{1,9}$/.test(n)) {
    throw new InvalidArgument(`n must be a number, not ${JSON.stringify(n)}`, { subject: { kind: "n", name: n } });
  }
  return { limit: Math.min(Number(n ?? MOST_NAMES), MOST_NAMES), ...(last !== null && { after: last }) };
}

/** The `Link` to the next part of a list, where there is one (RFC 5988). */
export function nextLink(
  path: string,
  page: { readonly names: readonly string[]; readonly more: boolean },
  n: number,
): Readonly<Record<string, string>> {
  const last = page.names.at(-1);
  if (!page.more || last === undefined) return {};
  return { link: `<${path}?n=${n}&last=${encodeURIComponent(last)}>; rel="next"` };
}
