import type { IncomingHttpHeaders } from "node:http";
import { badRequest, dnsLabel, dnsSubdomain } from "@boxship/api";
import type { Attributes, Authorizer, RequestInfo, ResourceInfo, User } from "../contract.ts";
import { AUTHENTICATED } from "./authenticate.ts";
import { authorize, MASTERS, refusal } from "./authorize.ts";
import { headersBelow, headerValues } from "./header-values.ts";

const ACCOUNT = "system:serviceaccount:";
const NODE = "system:node:";
const UNAUTHENTICATED = "system:unauthenticated";
const NODE_NAME = "authentication.kubernetes.io/node-name";
const NODE_KEYS = "authentication.kubernetes.io/associated-node-keys";
const GROUP = "authentication.k8s.io";
/** From so many groups or values on it is asked for all of them first. */
const MANY = 4;
const MOST_REMEMBERED = 10_000;

/** Whether a request is made as somebody else than its caller. */
export function asksForAnother(headers: IncomingHttpHeaders): boolean {
  for (const header in headers) if (header.startsWith("impersonate-")) return true;
  return false;
}

export interface Impersonated {
  readonly user: User;
  /** The verb by which the caller may, where that is one for this way of impersonation alone; else empty. */
  readonly constraint: string;
}

interface Wanted {
  readonly name: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** A way to be somebody else: who may is said by verbs of its own, `impersonate:NAME` and `impersonate-on:NAME:VERB`. */
interface Mode {
  readonly name: string;
  /** Whether it is the way for this user. */
  readonly fits: (wanted: Wanted, caller: User) => boolean;
  /** As whom the caller is looked at. @default the caller */
  readonly as?: (caller: User) => User;
  /** What has to be allowed of nodes. @default the one that is wanted */
  readonly nodes?: "*";
}

const MODES: readonly Mode[] = [
  {
    name: "associated-node",
    // A pod's account, as the node that the pod is on.
    fits: (wanted, { name, extra = {} }) => {
      const node = nodeOf(wanted.name);
      if (!hasNameAlone(wanted) || node === undefined || accountOf(name) === undefined) return false;
      return extra[NODE_NAME]?.length === 1 && extra[NODE_NAME][0] === node;
    },
    as: (caller) => ({ ...caller, extra: { [NODE_KEYS]: Object.keys(caller.extra ?? {}).sort() } }),
    nodes: "*",
  },
  { name: "arbitrary-node", fits: (wanted) => hasNameAlone(wanted) && nodeOf(wanted.name) !== undefined },
  { name: "serviceaccount", fits: (wanted) => hasNameAlone(wanted) && accountOf(wanted.name) !== undefined },
  { name: "user-info", fits: ({ name }) => nodeOf(name) === undefined && accountOf(name) === undefined },
];

const LEGACY = MODES.length;

/**
 * Whom requests are made as: their headers may name another user, where the caller may impersonate that one for this very
 * request (constrained impersonation), or for all (the verb `impersonate`).
 */
export class Impersonation {
  readonly #authorizers: readonly Authorizer[];
  /** By a caller's name, the way that was open last: it is tried first. */
  readonly #last = new Map<string, number>();

  constructor(authorizers: readonly Authorizer[]) {
    this.#authorizers = authorizers;
  }

  /**
   * @param info what is asked for
   * @throws Forbidden, BadRequest for groups without a user
   */
  async impersonate(caller: User, info: RequestInfo, rawHeaders: readonly string[]): Promise<Impersonated> {
    const wanted = wantedBy(rawHeaders);
    if (wanted === undefined) return { user: caller, constraint: "" };
    const last = this.#last.get(caller.name);
    let refused: unknown;
    const order = [...MODES.keys(), LEGACY];
    for (const at of last === undefined ? order : [last, ...order.filter((one) => one !== last)]) {
      const mode = MODES[at];
      if (mode !== undefined && !mode.fits(wanted, caller)) continue;
      try {
        const asked: Attributes = { ...info, user: caller };
        const found = mode === undefined ? await this.#legacy(asked, wanted) : await this.#by(mode, asked, wanted);
        if (this.#last.size >= MOST_REMEMBERED) this.#last.clear();
        this.#last.set(caller.name, at);
        return found;
      } catch (error) {
        refused ??= error;
      }
    }
    throw refused;
  }

  async #legacy({ user }: Attributes, wanted: Wanted): Promise<Impersonated> {
    const allow = this.#asking(user, "impersonate");
    const account = accountOf(wanted.name);
    if (account === undefined) await allow({ resource: "users", name: wanted.name });
    else await allow({ resource: "serviceaccounts", ...account });
    if (wanted.uid !== "") await allow({ group: GROUP, resource: "uids", name: wanted.uid });
    for (const name of wanted.groups) await allow({ resource: "groups", name });
    for (const one of extrasOf(wanted)) await allow(one);
    return { user: userOf(wanted, account), constraint: "" };
  }

  async #by(mode: Mode, asked: Attributes, wanted: Wanted): Promise<Impersonated> {
    const user = mode.as?.(asked.user) ?? asked.user;
    await authorize(this.#authorizers, { ...asked, user, verb: `impersonate-on:${mode.name}:${asked.verb}` });
    const constraint = `impersonate:${mode.name}`;
    const allow = this.#asking(user, constraint);
    const [account, node] = [accountOf(wanted.name), nodeOf(wanted.name)];
    if (node !== undefined) await allow({ group: GROUP, resource: "nodes", name: mode.nodes ?? node });
    else if (account !== undefined) await allow({ group: GROUP, resource: "serviceaccounts", ...account });
    else await allow({ group: GROUP, resource: "users", name: wanted.name });
    if (wanted.uid !== "") await allow({ group: GROUP, resource: "uids", name: wanted.uid });
    const refuse = (resource: string, name: string, why: string): never => {
      throw refusal({ user, verb: constraint, path: "", resource: about({ group: GROUP, resource, name }) }, why);
    };
    if (wanted.groups.includes("")) refuse("groups", "", "impersonating the empty string group is not allowed");
    if (wanted.groups.includes(MASTERS))
      refuse("groups", MASTERS, "impersonating the system:masters group is not allowed");
    const groups = wanted.groups.map((name) => ({ group: GROUP, resource: "groups", name }));
    await allowAll(allow, groups, { group: GROUP, resource: "groups", name: "*" });
    const wrong = wrongExtra(wanted.extra);
    if (wrong !== undefined) refuse("userextras", "", wrong);
    await allowAll(allow, extrasOf(wanted), { group: GROUP, resource: "userextras", subresource: "*", name: "*" });
    return { user: userOf(wanted, account, node), constraint };
  }

  #asking(user: User, verb: string): Allow {
    return async (what) => {
      await authorize(this.#authorizers, { user, verb, path: "", resource: about(what) });
    };
  }
}

/** @throws Forbidden */
type Allow = (what: Partial<ResourceInfo>) => Promise<void>;

const about = (what: Partial<ResourceInfo>): ResourceInfo => ({
  ...{ group: "", version: "v1", resource: "", namespace: "", name: "", subresource: "" },
  ...what,
});

async function allowAll(
  allow: Allow,
  each: readonly Partial<ResourceInfo>[],
  all: Partial<ResourceInfo>,
): Promise<void> {
  if (each.length >= MANY) {
    try {
      await allow(all);
      return;
    } catch {
      // One by one, then.
    }
  }
  for (const one of each) await allow(one);
}

/** @returns undefined where nobody else is wanted @throws BadRequest */
function wantedBy(rawHeaders: readonly string[]): Wanted | undefined {
  const [name = ""] = headerValues(rawHeaders, "impersonate-user");
  const [uid = ""] = headerValues(rawHeaders, "impersonate-uid");
  const groups = headerValues(rawHeaders, "impersonate-group");
  const extra = headersBelow(rawHeaders, "impersonate-extra-");
  if (name !== "") return { name, uid, groups, extra };
  if (groups.length > 0 || uid !== "" || Object.keys(extra).length > 0)
    throw badRequest("requested impersonation of groups, uid or extra without impersonating a user name");
  return undefined;
}

const hasNameAlone = ({ uid, groups, extra }: Wanted): boolean =>
  uid === "" && groups.length === 0 && Object.keys(extra).length === 0;

interface Account {
  readonly namespace: string;
  readonly name: string;
}

function accountOf(user: string): Account | undefined {
  if (!user.startsWith(ACCOUNT)) return undefined;
  const [namespace = "", name = "", ...more] = user.slice(ACCOUNT.length).split(":");
  const isOne = more.length === 0 && dnsLabel(namespace).length === 0 && dnsSubdomain(name).length === 0;
  return isOne ? { namespace, name } : undefined;
}

function nodeOf(user: string): string | undefined {
  const name = user.startsWith(NODE) ? user.slice(NODE.length) : "";
  return dnsSubdomain(name).length === 0 ? name : undefined;
}

const extrasOf = ({ extra }: Wanted): readonly Partial<ResourceInfo>[] =>
  Object.entries(extra).flatMap(([subresource, values]) =>
    values.map((name) => ({ group: GROUP, resource: "userextras", subresource, name })),
  );

/** RFC 3986's characters of a path. */
const PATH = /^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/;

function wrongExtra(extra: Wanted["extra"]): string | undefined {
  for (const [key, values] of Object.entries(extra)) {
    const [, host = "", path = ""] = /^([^/]*)\/(.*)$/s.exec(key) ?? [];
    if (key === "") return "impersonating the empty string key in extra is not allowed";
    if (dnsSubdomain(host).length > 0 || !PATH.test(path)) {
      return `impersonating an invalid key in extra is not allowed: extra.key: Invalid value: ${JSON.stringify(key)}: must be a domain-prefixed path (such as "acme.io/foo")`;
    }
    if (key !== key.toLowerCase())
      return `impersonating a non-lowercase key in extra is not allowed: ${JSON.stringify(key)}`;
    if (values.includes("")) return "impersonating the empty string value in extra is not allowed";
  }
  return undefined;
}

function userOf({ name, uid, groups: asked, extra }: Wanted, account?: Account, node?: string): User {
  let groups = asked;
  if (node !== undefined) groups = ["system:nodes"];
  else if (account !== undefined && asked.length === 0)
    groups = ["system:serviceaccounts", `system:serviceaccounts:${account.namespace}`];
  if (name === "system:anonymous") groups = [...groups, UNAUTHENTICATED];
  else if (!groups.includes(UNAUTHENTICATED)) groups = [...groups, AUTHENTICATED];
  return {
    name,
    groups: [...new Set(groups)],
    ...(uid === "" ? {} : { uid }),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  };
}
