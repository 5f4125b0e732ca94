import { CelError, Interruption, type Library, Opaque, type Value } from "@boxship/api";
import { decide } from "../../access/authorize.ts";
import type { Attributes, ResourceInfo, User } from "../../contract.ts";
import type { ServerContext } from "../../server-context.ts";

const AUTHORIZER = "kubernetes.authorization.Authorizer";
const PATH = "kubernetes.authorization.PathCheck";
const GROUP = "kubernetes.authorization.GroupCheck";
const RESOURCE = "kubernetes.authorization.ResourceCheck";
const DECISION = "kubernetes.authorization.Decision";

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
    return opaque(RESOURCE, { decisions: this, user, resource });
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
  return opaque(RESOURCE, { ...asked, resource: { ...EMPTY, ...asked.resource, ...change } });
};

function check(value: Opaque, verb: string): Value {
  const { decisions, user, path, resource } = of(value);
  const where = { ...(path === undefined ? {} : { path }), ...(resource === undefined ? {} : { resource }) };
  const decided = decisions.decided(user, path === undefined ? verb : verb.toLowerCase(), where);
  return new Opaque(DECISION, decided, JSON.stringify(decided));
}

/** The functions of `authorizer`. */
export const AUTHORIZER_LIBRARY: Library = {
  [`${AUTHORIZER}.path(string): ${PATH}`]: (a: Opaque, path: string) => opaque(PATH, { ...of(a), path }),
  [`${AUTHORIZER}.group(string): ${GROUP}`]: (a: Opaque, group: string) =>
    opaque(GROUP, { ...of(a), resource: { ...EMPTY, group } }),
  [`${AUTHORIZER}.serviceAccount(string, string): ${AUTHORIZER}`]: (a: Opaque, namespace: string, name: string) => {
    const groups = ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"];
    return opaque(AUTHORIZER, { ...of(a), user: { name: `system:serviceaccount:${namespace}:${name}`, groups } });
  },
  [`${GROUP}.resource(string): ${RESOURCE}`]: (a: Opaque, resource: string) => narrowed(a, { resource }),
  [`${RESOURCE}.subresource(string): ${RESOURCE}`]: (a: Opaque, subresource: string) => narrowed(a, { subresource }),
  [`${RESOURCE}.namespace(string): ${RESOURCE}`]: (a: Opaque, namespace: string) => narrowed(a, { namespace }),
  [`${RESOURCE}.name(string): ${RESOURCE}`]: (a: Opaque, name: string) => narrowed(a, { name }),
  [`${RESOURCE}.check(string): ${DECISION}`]: check,
  [`${PATH}.check(string): ${DECISION}`]: check,
  [`${DECISION}.allowed(): bool`]: (a: Opaque) => decisionOf(a).allowed,
  [`${DECISION}.reason(): string`]: (a: Opaque) => decisionOf(a).reason,
  [`${DECISION}.errored(): bool`]: () => false,
  [`${DECISION}.error(): string`]: () => "",
};
