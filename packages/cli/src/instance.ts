import { accessSync, constants, existsSync } from "node:fs";
import { resolve } from "node:path";
import {
  DEFAULT_INSTANCE,
  INSTANCE_NAME_RULE,
  instanceDirectories,
  isInstanceName,
} from "@boxship/base/instance-directories";
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

export interface InstanceChoice {
  readonly name?: string | undefined;
  readonly root?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** @default the effective user of this process */
  readonly uid?: number;
}

/**
 * The instance of a name: flags over environment (`BOXSHIP_NAME`, `BOXSHIP_ROOT`, `BOXSHIP_RUN`). Who is not root has
 * instances of their own; root's is taken as long as they have none of that name and may use root's socket. Relative paths
 * are the caller's.
 *
 * @throws Failure for a name that is none
 */
export function resolveInstance({ name, root, env, uid = process.geteuid?.() ?? 0 }: InstanceChoice): Instance {
  const chosen = name || env["BOXSHIP_NAME"] || DEFAULT_INSTANCE;
  // Before it becomes part of a path.
  if (!isInstanceName(chosen)) throw new Failure(`invalid instance name "${chosen}"`, { remedy: INSTANCE_NAME_RULE });
  const givenRoot = root || env["BOXSHIP_ROOT"] || undefined;
  const ownRoot = givenRoot === undefined ? undefined : resolve(givenRoot);
  const own = instanceDirectories(chosen, { env, uid });
  const machine = instanceDirectories(chosen, { env, uid: 0 });
  const decided = ownRoot !== undefined || Boolean(env["BOXSHIP_RUN"]) || existsSync(own.root);
  const runDir = decided || !mayUse(`${machine.runDir}/engine.sock`) ? own.runDir : machine.runDir;
  return { name: chosen, root: ownRoot, runDir: env["BOXSHIP_RUN"] || runDir };
}

function mayUse(socket: string): boolean {
  try {
    accessSync(socket, constants.W_OK);
    return true;
  } catch {
    return false;
  }
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
