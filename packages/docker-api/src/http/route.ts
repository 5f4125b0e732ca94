import type { DecodeContext } from "../wire/codec.ts";
import type { ApiCall } from "./call.ts";
import type { PathPattern } from "./router.ts";

export type Method = "GET" | "HEAD" | "POST" | "PUT" | "DELETE";

/** An answer that is whole when the handler returns. A handler that streams answers itself and returns nothing. */
export interface Reply {
  readonly status: number;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as plain text. */
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** How far an endpoint goes; `docs/docker-api.md` is made of this. */
export interface RouteDoc {
  readonly state: "works" | "differs" | "refused";
  /** How it differs, or why it is refused; required for both. */
  readonly note?: string;
  /**
   * Query parameters and fields of the body (`HostConfig.Links`) that the decoders do not tell the truth about: those
   * that they pass over, and those that are refused or differ further down. Text as in {@link note}.
   */
  readonly details?: Readonly<Record<string, { readonly state: RouteDoc["state"]; readonly note: string }>>;
}

export interface RouteDefinition<Query, Body> {
  readonly method: Method;
  readonly path: PathPattern;
  /** First minor version that has it; before that the page is not found. @default 24 */
  readonly minVersion?: number;
  readonly doc: RouteDoc;
  /** Decodes the query. Throws `InvalidArgument`. */
  readonly query?: (query: URLSearchParams, version: number) => Query;
  /** Decodes the JSON body, `undefined` when there was none. Throws `InvalidArgument` and `Unsupported`. */
  readonly body?: (body: unknown, context: DecodeContext) => Body;
  readonly handle: (call: ApiCall, input: { readonly query: Query; readonly body: Body }) => Promise<Reply | undefined>;
}

/** A route with its decoders' types closed over. */
export interface Route {
  readonly method: Method;
  readonly path: PathPattern;
  readonly minVersion: number;
  readonly doc: RouteDoc;
  /** The decoders by themselves; what they know is what the documentation says. */
  readonly query?: (query: URLSearchParams, version: number) => unknown;
  readonly body?: (body: unknown, context: DecodeContext) => unknown;
  /** Decodes and handles one request. */
  readonly run: (call: ApiCall) => Promise<Reply | undefined>;
}

/** Declares one endpoint. */
export function defineRoute<Query = undefined, Body = undefined>(definition: RouteDefinition<Query, Body>): Route {
  const { method, path, minVersion = 24, doc, query, body, handle } = definition;
  return {
    method,
    path,
    minVersion,
    doc,
    ...(query === undefined ? {} : { query }),
    ...(body === undefined ? {} : { body }),
    run: async (call) => {
      const decodedQuery = (query === undefined ? undefined : query(call.query, call.version)) as Query;
      const context: DecodeContext = { version: call.version, warnings: [] };
      const raw = body === undefined ? undefined : await call.json();
      const decodedBody = (body === undefined ? undefined : body(raw, context)) as Body;
      await call.audit?.request(raw);
      return handle(call, { query: decodedQuery, body: decodedBody });
    },
  };
}

export const ok = (json: unknown): Reply => ({ status: 200, json });
export const created = (json: unknown): Reply => ({ status: 201, json });
export const noContent: Reply = { status: 204 };
export const notModified: Reply = { status: 304 };
