import type { Duplex } from "node:stream";
import type { Clock, Logger } from "@boxship/base";
import type { EngineApi } from "@boxship/engine";
import type { AuditOptions } from "./access/audit.ts";
import type { Role, RoleRequest } from "./access/role.ts";
import type { BuildDoor } from "./build-door.ts";
import type { WorkingDoor } from "./working-door.ts";

/** What the program says of itself in `/version` and in the `Server` header. */
export interface ApiServerInfo {
  /** @default "dev" */
  readonly version?: string;
  /** @default "" */
  readonly gitCommit?: string;
  /** RFC 3339. @default "" */
  readonly buildTime?: string;
}

/** Which daemon a client speaks to; `GET /boxship/ping` tells it. */
export interface InstanceInfo {
  readonly name: string;
  readonly root: string;
  readonly runDir: string;
  readonly pid: number;
}

/** A further socket of the engine, whose clients are limited to a role. */
export interface SocketView {
  readonly role: Role;
  readonly path: string;
  /** Group that may use it. */
  readonly group?: string;
  /** Written in the configuration file: it can only be changed there. */
  readonly configured: boolean;
}

export interface CreateSocketRequest extends RoleRequest {
  /** @default below the instance's run-time directory */
  readonly path?: string;
  /** @default as for the engine's own socket */
  readonly group?: string;
}

/** Further sockets; who serves this door has them. */
export interface SocketsApi {
  list(): readonly SocketView[];
  /** Listens when it resolves, and again after a restart. */
  create(request: CreateSocketRequest): Promise<SocketView>;
  remove(name: string): Promise<void>;
}

/** Each header's values, in order, by lower-case name. */
export type HeaderValues = Readonly<Record<string, readonly string[]>>;

/** What takes connections that have left HTTP for BuildKit's services. */
export interface BuildkitConnections {
  /** Says before the answer what is wrong with a session. Throws an error of the closed set. */
  checkSession(headers: HeaderValues): void;
  /** A client that serves on its connection, which is the builder's from here on. */
  session(socket: Duplex, headers: HeaderValues): void;
  /** A client that calls on its connection, which is the builder's from here on. */
  grpc(socket: Duplex): void;
}

export interface DockerApiOptions {
  readonly engine: EngineApi;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly info?: ApiServerInfo;
  readonly instance?: InstanceInfo;
  /** Absent: building is refused. */
  readonly build?: BuildDoor;
  /** Absent: there are no working containers here. */
  readonly working?: WorkingDoor;
  /** Absent: clients are told that there is no BuildKit here. */
  readonly buildkit?: BuildkitConnections;
  /**
   * Begins an orderly end of the daemon and returns; containers run on, unless `reset` says that the instance goes with
   * all that it has. Absent: `POST /boxship/shutdown` is refused.
   */
  readonly shutdown?: (options: { readonly reset: boolean }) => void;
  /** What the registry over the engine's content says of its own store. @default there is none */
  readonly checkRegistry?: (options: { readonly repair: boolean }) => Promise<object | undefined>;
  /** What the clients may do. @default everything: they are root */
  readonly role?: Role;
  /** Where calls that may change something are written down. @default nowhere */
  readonly audit?: AuditOptions;
  /** A client that takes longer to send its request head has vanished. @default 60_000 */
  readonly headersTimeoutMs?: number;
  /** Absent: further sockets cannot be managed here. */
  readonly sockets?: SocketsApi;
}
