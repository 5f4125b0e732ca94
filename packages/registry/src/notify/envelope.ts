import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { hostname } from "node:os";
import { originOf } from "../http/origin.ts";

export type EventAction = "push" | "pull" | "mount" | "delete";

/** What was done to a repository. */
export interface RegistryEvent {
  readonly action: EventAction;
  readonly repository: string;
  /** Of a blob or manifest; a deletion of a tag has none. */
  readonly digest?: string;
  readonly mediaType?: string;
  readonly size?: number;
  readonly tag?: string;
  /** Of a mount. */
  readonly fromRepository?: string;
  /** Who did it; empty for nobody in particular. */
  readonly user: string;
}

export const EVENTS_MEDIA_TYPE = "application/vnd.docker.distribution.events.v1+json";

/** One process is one source. */
const INSTANCE = randomUUID();

/**
 * An event as Docker's registry sends it to its notification endpoints.
 *
 * @param request undefined: nobody asked for it
 */
export function wireEvent(
  event: RegistryEvent,
  request: IncomingMessage | undefined,
  now: number,
): Readonly<Record<string, unknown>> {
  const { action, repository, digest, mediaType, size, tag, fromRepository, user } = event;
  const place = mediaType === "application/octet-stream" ? "blobs" : "manifests";
  return {
    id: randomUUID(),
    timestamp: new Date(now).toISOString(),
    action,
    target: {
      ...(mediaType !== undefined && { mediaType }),
      ...(size !== undefined && { size, length: size }),
      ...(digest !== undefined && { digest }),
      // What is deleted is nowhere, and of no type.
      ...(mediaType !== undefined && {
        url: `${request === undefined ? "" : originOf(request)}/v2/${repository}/${place}/${digest}`,
      }),
      repository,
      ...(fromRepository !== undefined && { fromRepository }),
      ...(tag !== undefined && { tag }),
    },
    request: request === undefined ? {} : wireRequest(request),
    actor: user === "" ? {} : { name: user },
    source: { addr: `${hostname()}:${request?.socket.localPort ?? 0}`, instanceID: INSTANCE },
  };
}

function wireRequest({ socket, headers, method }: IncomingMessage): Readonly<Record<string, unknown>> {
  return {
    id: randomUUID(),
    addr: `${socket.remoteAddress ?? ""}:${socket.remotePort ?? ""}`,
    host: headers.host ?? "",
    method,
    useragent: headers["user-agent"] ?? "",
  };
}
