import type { IncomingHttpHeaders } from "node:http";
import type { Duplex } from "node:stream";
import type { Json, Kind, KubeObject } from "@boxship/api";

/**
 * What the parts of the server promise each other. A request passes, in this order: the {@link Authenticator}s (the
 * first that knows the caller), the {@link Authorizer}s (the first with an opinion), its verb, and, where it writes,
 * the {@link AdmissionPlugin}s: all that mutate, validation of the object, all that validate.
 */

/** Who asks. */
export interface User {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export const ANONYMOUS: User = { name: "system:anonymous", groups: ["system:unauthenticated"] };

/** What an authenticator sees of a request. */
export interface Credentials {
  readonly headers: IncomingHttpHeaders;
  /** Names and values by turns, as they came. */
  readonly rawHeaders: readonly string[];
  /** Of a client certificate that our authority has signed and whose time has not run out. */
  readonly certificate?: CertificateSubject | undefined;
  /** Whether there was a certificate that is not one of these. @default false */
  readonly isRefused?: boolean;
}

export interface CertificateSubject {
  readonly commonName: string;
  readonly organizations: readonly string[];
  /** Of one who says in headers who asks. @default false */
  readonly isFrontProxy?: boolean;
}

export interface Authenticator {
  /**
   * @returns undefined where the request carries nothing that this one understands
   * @throws Unauthorized for credentials that it understands and does not accept
   */
  authenticate(credentials: Credentials): User | undefined | Promise<User | undefined>;
}

/** What a request is about, read from its method and path. */
export interface RequestInfo {
  /** Of resources get, list, watch, create, update, patch, delete, deletecollection; else the method in lower case. */
  readonly verb: string;
  readonly path: string;
  /** Of a list, a watch or a deletion of many. @default "" */
  readonly fieldSelector?: string;
  /** Absent for paths that are no resource: `/healthz`, `/apis`, … */
  readonly resource?: ResourceInfo;
}

export interface ResourceInfo {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly namespace: string;
  /** Empty for collections. */
  readonly name: string;
  readonly subresource: string;
  /** What is behind a proxy, with a slash before it; "" where the request ends with the word. @default "" */
  readonly path?: string;
}

/** What an authorizer decides about. */
export interface Attributes extends RequestInfo {
  readonly user: User;
}

export type Decision =
  | { readonly verdict: "allow"; readonly reason?: string }
  | { readonly verdict: "deny" | "no-opinion"; readonly reason?: string };

export interface Authorizer {
  authorize(attributes: Attributes): Decision | Promise<Decision>;
  /** What a user may do in a namespace: what `kubectl auth can-i --list` shows. */
  rulesFor?(user: User, namespace: string): UserRules | Promise<UserRules>;
}

export interface UserRules {
  readonly resourceRules: readonly ResourceRule[];
  readonly nonResourceRules: readonly NonResourceRule[];
}

export interface ResourceRule {
  readonly verbs: readonly string[];
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
}

export interface NonResourceRule {
  readonly verbs: readonly string[];
  readonly nonResourceURLs: readonly string[];
}

/** A built-in kind that stands for another in a subresource: an Eviction, a Scale. */
export interface ObjectKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** Of its fields. */
  readonly definition: string;
}

/** A write that is about to happen. */
export interface AdmissionRequest {
  readonly operation: "CREATE" | "UPDATE" | "DELETE" | "CONNECT";
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  readonly subresource: string;
  readonly user: User;
  readonly dryRun: boolean;
  /** What the object is, where it is none of the kind: of subresources that have another one. */
  readonly objectKind?: ObjectKind;
  /** Mutating plugins change it in place. Null for DELETE. */
  readonly object: KubeObject | null;
  /** Null for CREATE and CONNECT. Nobody changes it. */
  readonly oldObject: KubeObject | null;
  /** The options of the verb, e.g. `meta/v1.DeleteOptions`. */
  readonly options: Json;
  /** A line for the client's eyes, sent as a Warning header. */
  readonly warn: (message: string) => void;
  /** Notes something in the audit log; details only where it holds bodies, too. */
  readonly annotate: Annotate;
}

export type Annotate = (key: string, value: string, what?: "always" | "detail") => void;

export interface AdmissionPlugin {
  readonly name: string;
  /** Changes the object, or refuses. @throws Forbidden, Invalid */
  mutate?(request: AdmissionRequest): void | Promise<void>;
  /** Refuses. @throws Forbidden, Invalid */
  validate?(request: AdmissionRequest): void | Promise<void>;
}

/** The way to the agents of nodes. */
export interface NodeConnections {
  /**
   * A new connection to a node's agent, on which it answers HTTP/1.1 at the kubelet's paths: `/containerLogs/…`, `/exec/…`,
   * `/attach/…`, `/portForward/…`, `/metrics…`, `/stats/summary`. Who may has been settled.
   *
   * @returns undefined for a node that is not connected
   */
  connect(node: string): Promise<Duplex | undefined>;
}
