import type { Kind } from "@boxship/api";
import { takeTurns } from "../http/take-turns.ts";
import type { ResourceRequest } from "../server-context.ts";
import { SYSTEM_USER } from "./system-user.ts";

/** A request of the server to itself. */
export function systemRequest(kind: Kind, namespace: string, name: string, subresource = ""): ResourceRequest {
  const { group, version, resource } = kind;
  return {
    kind,
    info: { group, version, resource, namespace, name, subresource },
    user: SYSTEM_USER,
    query: new URLSearchParams(),
    accept: { form: "object", encoding: "json", parameters: new Map() },
    contentType: "application/json",
    userAgent: "boxship",
    body: async () => Buffer.alloc(0),
    pause: takeTurns(),
    warn: () => {},
  };
}

/** How the server writes its own. */
export const SYSTEM_WRITE = {
  dryRun: false,
  fieldManager: "boxship",
  fieldValidation: "Ignore",
  force: false,
} as const;
