import { failureStatus, type Json, type Status, toStatus } from "@boxship/api";
import type { Outgoing } from "./send-reply.ts";

/** What a request is answered with. */
export type Reply = BytesReply | StreamReply;

export interface BytesReply {
  readonly status: number;
  readonly contentType: string;
  /** Sent one after another. */
  readonly body: readonly Uint8Array[];
  readonly headers?: Readonly<Record<string, string>>;
  /** The same as JSON, for the audit log, where the body is something else. */
  readonly json?: () => readonly Uint8Array[];
  /** The body is JSON that is turned into YAML where the client asked for that. @default true for JSON */
  readonly mayBeYaml?: boolean;
}

export interface StreamReply {
  /** Answers by itself, and resolves when the answer is over. */
  stream(response: Outgoing): Promise<void>;
}

export const JSON_TYPE = "application/json";

export function jsonReply(value: Json | Status, status = 200): BytesReply {
  return { status, contentType: JSON_TYPE, body: [Buffer.from(`${JSON.stringify(value)}\n`)] };
}

export function textReply(text: string, status = 200): BytesReply {
  return { status, contentType: "text/plain; charset=utf-8", body: [Buffer.from(text)] };
}

/** The answer to anything thrown. */
export function errorReply(thrown: unknown): BytesReply {
  const status = toStatus(thrown);
  const retry = status.details?.retryAfterSeconds;
  const reply = jsonReply(status, status.code);
  return retry === undefined ? reply : { ...reply, headers: { "retry-after": String(retry) } };
}

export const unauthorizedReply = (): BytesReply => jsonReply(failureStatus("Unauthorized", "Unauthorized"), 401);
