import { Failure } from "./failure.ts";

/** Which engine the program talks to. */
export interface Instance {
  readonly name: string;
  /** Durable state of the instance; the daemon's own default when nobody chose one. */
  readonly root: string | undefined;
  readonly runDir: string;
}

/** Where requests go. */
export type Endpoint =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

export const DEFAULT_NAME = "boxship";

export interface InstanceChoice {
  readonly name?: string | undefined;
  readonly root?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
}

/** The instance of a name: flags over environment (`BOXSHIP_NAME`, `BOXSHIP_ROOT`, `BOXSHIP_RUN`). */
export function resolveInstance({ name, root, env }: InstanceChoice): Instance {
  const chosen = name || env["BOXSHIP_NAME"] || DEFAULT_NAME;
  const suffix = chosen === DEFAULT_NAME ? "" : `-${chosen}`;
  return {
    name: chosen,
    root: root || env["BOXSHIP_ROOT"] || undefined,
    runDir: env["BOXSHIP_RUN"] || `/run/boxship${suffix}`,
  };
}

/**
 * Reads `unix:///path` or `tcp://host:port`.
 *
 * @throws Failure for anything else
 */
export function parseHost(host: string): Endpoint {
  const [, protocol, address = ""] = /^(unix|tcp):\/\/(.*)$/.exec(host) ?? [];
  if (protocol === "unix" && address.startsWith("/")) return { kind: "unix", path: address };
  const tcp = /^(\[[^\]]+\]|[^:/]+)(?::(\d+))?\/?$/.exec(address);
  if (protocol === "tcp" && tcp !== null) {
    return { kind: "tcp", host: (tcp[1] ?? "").replace(/^\[|\]$/g, ""), port: Number(tcp[2] ?? 2375) };
  }
  throw new Failure(`unable to parse host: ${host}`, { remedy: "use unix:///path/to/engine.sock or tcp://host:port" });
}

export function describeEndpoint(endpoint: Endpoint): string {
  return endpoint.kind === "unix" ? `unix://${endpoint.path}` : `tcp://${endpoint.host}:${endpoint.port}`;
}
