/** What an image must fulfil (containers-policy.json(5), "POLICY REQUIREMENTS"). */
export type Requirement =
  | { readonly type: "insecureAcceptAnything" }
  | { readonly type: "reject" }
  | { readonly type: "sigstoreSigned"; readonly keys: readonly KeySource[]; readonly identity: IdentityMatch }
  /** Understood, and not supported: it lets nothing pass. */
  | { readonly type: "unsupported"; readonly name: string };

export type KeySource =
  | { readonly kind: "path"; readonly path: string }
  /** PEM. */
  | { readonly kind: "data"; readonly pem: Uint8Array };

/** Under which name an image must have been signed. */
export type IdentityMatch =
  | { readonly type: "matchExact" }
  | { readonly type: "matchRepoDigestOrExact" }
  | { readonly type: "matchRepository" }
  | { readonly type: "exactReference"; readonly name: string }
  | { readonly type: "exactRepository"; readonly name: string }
  | { readonly type: "remapIdentity"; readonly prefix: string; readonly signedPrefix: string };

/** A policy. All requirements of the scope that fits best must be fulfilled. */
export interface Policy {
  /** Name of its file, for messages. */
  readonly name: string;
  readonly default: readonly Requirement[];
  /** By transport, then by scope; the scope "" is a transport's default. */
  readonly transports: Readonly<Record<string, Readonly<Record<string, readonly Requirement[]>>>>;
}

/** An image as a policy sees it. */
export interface PolicySubject {
  /** `docker`, `oci`, … */
  readonly transport: string;
  /** The scopes that fit it, the most specific first; see {@link dockerScopes}. */
  readonly scopes: readonly string[];
}

/** The scopes of an image in a registry: its name, its repository, what that is in, and its domain's wildcards. */
export function dockerScopes(repository: string, suffix: string): readonly string[] {
  const scopes = [`${repository}${suffix}`];
  let name = repository;
  for (;;) {
    if (scopes.at(-1) !== name) scopes.push(name);
    const slash = name.lastIndexOf("/");
    if (slash === -1) break;
    name = name.slice(0, slash);
  }
  const host = name.replace(/:\d+$/, "");
  for (let dot = host.indexOf("."); dot !== -1; dot = host.indexOf(".", dot + 1)) scopes.push(`*${host.slice(dot)}`);
  return scopes;
}

/** The scopes of a path: itself with a name in it, itself, and the directories above. */
export function pathScopes(path: string, name: string): readonly string[] {
  const scopes = name === "" ? [] : [`${path}:${name}`];
  for (let at = path; at !== "" && at !== "/"; at = at.slice(0, Math.max(0, at.lastIndexOf("/")))) scopes.push(at);
  return scopes;
}

/** What a policy asks of an image, and where it says so. */
export function requirementsFor(
  policy: Policy,
  { transport, scopes }: PolicySubject,
): { readonly scope: string; readonly requirements: readonly Requirement[] } {
  const own = Object.hasOwn(policy.transports, transport) ? (policy.transports[transport] ?? {}) : {};
  for (const scope of [...scopes, ""]) {
    const requirements = Object.hasOwn(own, scope) ? own[scope] : undefined;
    if (requirements !== undefined) return { scope: scope === "" ? `transport ${transport}` : scope, requirements };
  }
  return { scope: "default", requirements: policy.default };
}
