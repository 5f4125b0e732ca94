import {
  AUTHORIZER,
  AUTHORIZER_SIGNATURES,
  CelError,
  DECISION,
  GROUP_CHECK,
  Interruption,
  type Library,
  Opaque,
  PATH_CHECK,
  RESOURCE_CHECK,
  type Value,
} from "@boxship/api";
import { decide } from "../../access/authorize.ts";
import type { Attributes, ResourceInfo, User } from "../../contract.ts";
import type { ServerContext } from "../../server-context.ts";

interface Asked {
  readonly decisions: Decisions;
  readonly user: User;
  readonly path?: string;
  readonly resource?: ResourceInfo;
}

interface Decided {
  readonly allowed: boolean;
  readonly reason: string;
}

/** A decision that is not known yet: the evaluation begins again when it is. */
class Undecided extends Interruption {
  readonly key: string;
  readonly attributes: Attributes;

  constructor(key: string, attributes: Attributes) {
    super("undecided");
    this.key = key;
    this.attributes = attributes;
  }
}

/** Most checks that the expressions of one request may make. */
const MOST_CHECKS = 100;

/** What expressions ask the authorizers: evaluation does not wait, so that it is done again with what was found out. */
export class Decisions {
  readonly #context: ServerContext;
  readonly #known = new Map<string, Decided>();

  constructor(context: ServerContext) {
    this.#context = context;
  }

  /** The value `authorizer`. */
  authorizer(user: User): Opaque {
    return opaque(AUTHORIZER, { decisions: this, user });
  }

  /** The value `authorizer.requestResource`. */
  resource(user: User, resource: ResourceInfo): Opaque {
    return opaque(RESOURCE_CHECK, { decisions: this, user, resource });
  }

  /** @throws Undecided */
  decided(user: User, verb: string, { path, resource }: Pick<Asked, "path" | "resource">): Decided {
    const attributes: Attributes = { user, verb, path: path ?? "", ...(resource === undefined ? {} : { resource }) };
    const key = JSON.stringify(attributes);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#known.size >= MOST_CHECKS) throw new CelError("too many authorization checks", 0);
    throw new Undecided(key, attributes);
  }

  /** Evaluates until nothing is undecided. */
  async run<T>(evaluate: () => T | Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await evaluate();
      } catch (error) {
        if (!(error instanceof Undecided)) throw error;
        this.#known.set(error.key, await decide(this.#context.authorizers, error.attributes));
      }
    }
  }
}

const opaque = (type: string, asked: object): Opaque =>
  new Opaque(type, asked, JSON.stringify({ ...asked, decisions: 0 }));
const of = (value: Opaque): Asked => value.inner as Asked;
const decisionOf = (value: Opaque): Decided => value.inner as Decided;
const EMPTY: ResourceInfo = { group: "", version: "*", resource: "", namespace: "", name: "", subresource: "" };

const narrowed = (value: Opaque, change: Partial<ResourceInfo>): Opaque => {
  const asked = of(value);
  return opaque(RESOURCE_CHECK, { ...asked, resource: { ...EMPTY, ...asked.resource, ...change } });
};

function check(value: Opaque, verb: string): Value {
  const { decisions, user, path, resource } = of(value);
  const where = { ...(path === undefined ? {} : { path }), ...(resource === undefined ? {} : { resource }) };
  const decided = decisions.decided(user, path === undefined ? verb : verb.toLowerCase(), where);
  return new Opaque(DECISION, decided, JSON.stringify(decided));
}

/** The functions of `authorizer`. */
export const AUTHORIZER_LIBRARY: Library = {
  [AUTHORIZER_SIGNATURES.path]: (a: Opaque, path: string) => opaque(PATH_CHECK, { ...of(a), path }),
  [AUTHORIZER_SIGNATURES.group]: (a: Opaque, group: string) =>
    opaque(GROUP_CHECK, { ...of(a), resource: { ...EMPTY, group } }),
  [AUTHORIZER_SIGNATURES.serviceAccount]: (a: Opaque, namespace: string, name: string) => {
    const groups = ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"];
    return opaque(AUTHORIZER, { ...of(a), user: { name: `system:serviceaccount:${namespace}:${name}`, groups } });
  },
  [AUTHORIZER_SIGNATURES.resource]: (a: Opaque, resource: string) => narrowed(a, { resource }),
  [AUTHORIZER_SIGNATURES.subresource]: (a: Opaque, subresource: string) => narrowed(a, { subresource }),
  [AUTHORIZER_SIGNATURES.namespace]: (a: Opaque, namespace: string) => narrowed(a, { namespace }),
  [AUTHORIZER_SIGNATURES.name]: (a: Opaque, name: string) => narrowed(a, { name }),
  [AUTHORIZER_SIGNATURES.check]: check,
  [AUTHORIZER_SIGNATURES.checkPath]: check,
  [AUTHORIZER_SIGNATURES.allowed]: (a: Opaque) => decisionOf(a).allowed,
  [AUTHORIZER_SIGNATURES.reason]: (a: Opaque) => decisionOf(a).reason,
  [AUTHORIZER_SIGNATURES.errored]: () => false,
  [AUTHORIZER_SIGNATURES.error]: () => "",
};
