import type { Json, Kind, KindRegistry } from "@boxship/api";
import type { Clock, Logger } from "@boxship/base";
import type { AdmissionPlugin, Annotate, Authorizer, NodeConnections, ResourceInfo, User } from "./contract.ts";
import type { Accept } from "./http/accept.ts";
import type { Pause } from "./http/take-turns.ts";
import type { ObjectLeases } from "./storage/object-leases.ts";
import type { ObjectStore } from "./storage/object-store.ts";
import type { ServiceAccountTokens } from "./tokens/service-account-tokens.ts";
import type { TokenAuthenticator } from "./tokens/token-authenticator.ts";

/** What a server makes up for new objects: for worlds in which the same happens again. */
export interface Naming {
  /** Ends a name that begins with a base. */
  suffix(resource: string, base: string): string;
  /** A UUID that nobody had before. */
  uid(resource: string, namespace: string, name: string): string;
}

/** What every verb works with. */
export interface ServerContext {
  readonly objects: ObjectStore;
  readonly kinds: KindRegistry;
  /** In the order in which they are asked. */
  readonly admission: readonly AdmissionPlugin[];
  readonly authorizers: readonly Authorizer[];
  /** Of service accounts. */
  readonly tokens: ServiceAccountTokens;
  /** Knows tokens of every kind. */
  readonly tokenAuthenticator: TokenAuthenticator;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Aborted when the server ends: watches end with it. */
  readonly ending: AbortSignal;
  /** What the server makes up. @default at random */
  readonly naming?: Naming;
  /** How nodes are reached. @default there are none that could be */
  readonly nodes?: NodeConnections;
  /** Lets objects of some kinds end by themselves. */
  readonly leases?: ObjectLeases;
}

/** A request for a resource, after who asks and whether they may have been settled. */
export interface ResourceRequest {
  readonly kind: Kind;
  readonly info: ResourceInfo;
  readonly user: User;
  readonly query: URLSearchParams;
  readonly accept: Accept;
  /** Of the body, without parameters. */
  readonly contentType: string;
  readonly userAgent: string;
  /** Lets others have their turn, where the object is large. @default everything is done in one turn */
  readonly pause?: Pause | undefined;
  /** Reads the body; once. */
  readonly body: () => Promise<Buffer>;
  /** Told what the body says, before anything is changed in it. @default nobody is told */
  readonly received?: ((body: Json) => void) | undefined;
  /** A line for the client's eyes, sent as a Warning header. */
  readonly warn: (message: string) => void;
  /** Notes something in the audit log. @default nothing is noted */
  readonly annotate?: Annotate | undefined;
}
