import type { IncomingHttpHeaders } from "node:http";
import {
  type BoxshipError,
  InvalidArgument,
  NotFound,
  PermissionDenied,
  ResourceExhausted,
  Unavailable,
} from "@boxship/base";
import type { Digest } from "../digest.ts";
import { familiarName, familiarReference, type Reference } from "../reference.ts";
import type { NetworkFailure } from "./http.ts";

/** The head of an answer, with a body that is small or an error. */
export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
}

/** What was asked for, to say what failed. */
export interface Asked {
  readonly what: "manifest" | "blob" | "tags" | "registry";
  readonly reference: Reference;
  /** @default "pull" */
  readonly action?: "pull" | "push" | "delete";
}

/** Statuses after which the same request may succeed. */
export function isTransientStatus(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

const TRANSIENT_CODES: ReadonlySet<string> = new Set([
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EAI_AGAIN",
  "ENETUNREACH",
  "EHOSTUNREACH",
  "ECONNABORTED",
]);

/** Failures of the network after which the same request may succeed at once; a refused connection is none. */
export function isTransientFailure(failure: NetworkFailure): boolean {
  return TRANSIENT_CODES.has(failure.code);
}

/** The registry's own words, as Docker prints its error codes: `manifest unknown: manifest unknown`. */
export function registryWords(reply: Reply): string | undefined {
  try {
    const document: unknown = JSON.parse(Buffer.from(reply.body).toString());
    if (typeof document !== "object" || document === null || !("errors" in document)) return undefined;
    const [first] = Array.isArray(document.errors) ? (document.errors as unknown[]) : [];
    if (typeof first !== "object" || first === null || !("code" in first)) return undefined;
    const code = printable(String(first.code)).toLowerCase().replaceAll("_", " ");
    if (!("message" in first) || typeof first.message !== "string") return code;
    return `${code}: ${printable(first.message.slice(0, 500))}`;
  } catch {
    return undefined;
  }
}

/** What others say reaches terminals: it is not to steer them. */
const printable = (text: string): string => text.replace(/\p{Cc}/gu, " ");

function registryCode(words: string | undefined): string {
  return words?.split(":")[0] ?? "";
}

/** An answer that is no success, in Docker's words. */
export function replyError(host: string, reply: Reply, asked: Asked): BoxshipError {
  const { reference } = asked;
  const subject = { kind: asked.what === "registry" ? "registry" : "image", name: familiarReference(reference) };
  const words = registryWords(reply);
  switch (reply.status) {
    case 401:
    case 403:
      return denied(host, asked, words ?? (reply.status === 401 ? "unauthorized: authentication required" : "denied"));
    case 404:
      return new NotFound(missing(asked, words), { subject });
    case 429:
      return new ResourceExhausted(
        `${host} limits the rate of requests: ${words ?? "toomanyrequests: too many requests"}`,
        {
          subject,
          remedy: rateRemedy(host, reply),
        },
      );
    default:
      break;
  }
  const answered = `${host} answered ${reply.status}${words === undefined ? "" : `: ${words}`}`;
  if (isTransientStatus(reply.status)) {
    return new Unavailable(answered, { subject, remedy: "try again later; the registry itself is in trouble" });
  }
  return new InvalidArgument(answered, { subject });
}

const VERBS = { pull: "read", push: "write", delete: "delete in" } as const;

function denied(host: string, { reference, action = "pull" }: Asked, words: string): PermissionDenied {
  const name = familiarName(reference);
  return new PermissionDenied(
    `${action} access denied for ${name}, repository does not exist or may require 'docker login': ${words}`,
    {
      subject: { kind: "image", name },
      remedy: `check the name, or log in to ${host} with an account that may ${VERBS[action]} it`,
    },
  );
}

function missing(asked: Asked, words: string | undefined): string {
  const { reference, what } = asked;
  if (registryCode(words) === "name unknown" || what === "tags") {
    return `repository ${familiarName(reference)} not found: ${words ?? "name unknown"}`;
  }
  if (what === "manifest")
    return `manifest for ${familiarReference(reference)} not found: ${words ?? "manifest unknown"}`;
  if (what === "blob")
    return `blob ${reference.digest} of ${familiarName(reference)} not found: ${words ?? "blob unknown"}`;
  return `${reference.domain} is no registry: it answered 404 for /v2/`;
}

function rateRemedy(host: string, reply: Reply): string {
  const wait = reply.headers["retry-after"];
  const when = wait !== undefined && /^\d+$/.test(wait) ? `wait ${wait} s` : "wait some minutes";
  return `${when}, log in to ${host} for a higher limit, or configure a mirror`;
}

/** Content that is not what its digest says. @param why what was wrong with it */
export function wrongContent(host: string, digest: Digest, why?: string): InvalidArgument {
  return new InvalidArgument(`${host} sent wrong content for blob ${digest}${why === undefined ? "" : `: ${why}`}`, {
    subject: { kind: "blob", name: digest },
    remedy: "try again; if it happens again, the image is damaged in the registry or on the way",
  });
}

/** A connection that failed. */
export function connectionError(host: string, failure: NetworkFailure, reference: Reference): Unavailable {
  return new Unavailable(`registry ${host} cannot be reached: ${failure.message}`, {
    cause: failure,
    subject: { kind: "image", name: familiarReference(reference) },
    remedy: connectionRemedy(host, failure.code),
  });
}

function connectionRemedy(host: string, code: string): string {
  if (/CERT|SELF_SIGNED|ISSUER|ALTNAME/.test(code)) {
    return `name a file with the certificate of its authority as "ca" of ${host} under registries, add it to this machine's certificates, or mark the registry "insecure" for tests`;
  }
  if (/SSL|EPROTO|TLS/.test(code)) {
    return `${host} does not speak TLS as expected; if it is plain HTTP, mark it "insecure" under registries`;
  }
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "check the name of the registry and this machine's DNS";
  if (code === "ECONNREFUSED") return `check that a registry listens at ${host}`;
  return "check this machine's connection and proxy settings, then try again";
}
