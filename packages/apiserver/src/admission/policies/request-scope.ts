import {
  Budget,
  type CelType,
  compile,
  fromJson,
  type JsonObject,
  type Kind,
  type KubeObject,
  LaterFields,
  type Program,
  typesOf,
  type Value,
} from "@boxship/api";
import { inTurns, nextTurn, type Turns } from "@boxship/base";
import type { AdmissionRequest } from "../../contract.ts";
import { turnsByBytes } from "../../http/take-turns.ts";
import type { ServerContext } from "../../server-context.ts";
import { userInfo } from "../../special/access-reviews.ts";
import { inVersion, namespaceOf } from "../matching/match-rules.ts";
import { AUTHORIZER_LIBRARY, Decisions } from "./authorizer-library.ts";

/** What all expressions of one policy or webhook may cost, as upstream has it. */
const POLICY_BUDGET = 10_000_000;
const MOST_PROGRAMS = 10_000;
/** Expressions that are evaluated before others have a turn; one that has to be compiled is as many as `NEW`. */
const TURN = 200;
const NEW = 20;
const programs = new Map<string, Program>();

const VARIABLES = typesOf({
  object: "dyn",
  oldObject: "dyn",
  request: "dyn",
  params: "dyn",
  namespaceObject: "dyn",
  variables: "dyn",
  authorizer: "dyn",
  "authorizer.requestResource": "dyn",
});

/** Messages that mutations make. */
export const MUTATION_MESSAGES = ["JSONPatch", "Object"];

/** An expression of admission, compiled once. @throws CelError */
export function admissionProgram(text: string): Program {
  let program = programs.get(text);
  if (program === undefined) {
    program = compile(text, { variables: VARIABLES, library: AUTHORIZER_LIBRARY, messages: MUTATION_MESSAGES });
    if (programs.size >= MOST_PROGRAMS) programs.clear();
    programs.set(text, program);
  }
  return program;
}

/** Compiles an expression of admission for objects of known types. @throws CelError */
export function typedProgram(text: string, types: ReadonlyMap<string, CelType>): Program {
  const variables = new Map([...VARIABLES, ...types]);
  return compile(text, { variables, library: AUTHORIZER_LIBRARY, messages: MUTATION_MESSAGES });
}

/** What the expressions about one request see. */
export class RequestScope {
  readonly #values: ReadonlyMap<string, Value>;
  readonly #decisions: Decisions;
  readonly #budget = new Budget(POLICY_BUDGET);
  /** By name; evaluated when they are first asked for. */
  readonly #variables: ReadonlyMap<string, string>;
  readonly #evaluated = new Map<string, Value>();
  #inTurn = 0;

  private constructor(
    values: ReadonlyMap<string, Value>,
    decisions: Decisions,
    variables: ReadonlyMap<string, string>,
  ) {
    this.#values = values;
    this.#decisions = decisions;
    this.#variables = variables;
  }

  /**
   * @param variables expressions by the names that others use them by
   * @param seen what other policies that change nothing have seen of this very request
   */
  static async of(
    context: ServerContext,
    request: AdmissionRequest,
    kind: Kind,
    more: {
      readonly params?: KubeObject | null;
      readonly variables?: ReadonlyMap<string, string>;
      readonly seen?: Seen;
    } = {},
  ): Promise<RequestScope> {
    const { user, subresource, name, namespace } = request;
    const decisions = new Decisions(context);
    const { group, version, resource } = request.kind;
    const values = new Map<string, Value>([
      ...(await (more.seen ?? new Seen(context, request)).as(kind)),
      ["params", fromJson(more.params)],
      ["authorizer", decisions.authorizer(user)],
      [
        "authorizer.requestResource",
        decisions.resource(user, { group, version, resource, namespace, name, subresource }),
      ],
    ]);
    return new RequestScope(values, decisions, more.variables ?? new Map<string, string>());
  }

  /** @throws CelError, BudgetExceeded */
  async evaluate(text: string): Promise<Value> {
    this.#inTurn += programs.has(text) ? 1 : NEW;
    if (this.#inTurn >= TURN) {
      this.#inTurn = 0;
      await nextTurn();
    }
    const program = admissionProgram(text);
    return await this.#decisions.run(() => inTurns(program.steps((name) => this.#value(name), this.#budget)));
  }

  #value(name: string): Value | undefined {
    return name === "variables" ? new Variables((own) => this.#variable(own)) : this.#values.get(name);
  }

  *#variable(name: string): Turns<Value | undefined> {
    const known = this.#evaluated.get(name);
    if (known !== undefined) return known;
    const text = this.#variables.get(name);
    if (text === undefined) return undefined;
    const value = yield* admissionProgram(text).steps((own) => this.#value(own), this.#budget);
    this.#evaluated.set(name, value);
    return value;
  }
}

/** What expressions see of a request that does not change meanwhile, in each version that policies want to see. */
export class Seen {
  readonly #context: ServerContext;
  readonly #request: AdmissionRequest;
  readonly #turn = turnsByBytes();
  readonly #known = new Map<Kind, readonly (readonly [string, Value])[]>();

  constructor(context: ServerContext, request: AdmissionRequest) {
    this.#context = context;
    this.#request = request;
  }

  async as(kind: Kind): Promise<readonly (readonly [string, Value])[]> {
    const turned = this.#turn(SCOPE);
    if (turned !== undefined) await turned;
    let values = this.#known.get(kind);
    if (values !== undefined) return values;
    const [context, request] = [this.#context, this.#request];
    values = [
      ["object", fromJson(await inVersion(context, request, request.object, kind))],
      ["oldObject", fromJson(await inVersion(context, request, request.oldObject, kind))],
      ["request", fromJson(requestValue(request, kind))],
      ["namespaceObject", kind.namespaced ? fromJson((await namespaceOf(context, request)) ?? null) : null],
    ];
    this.#known.set(kind, values);
    return values;
  }
}

/** Beginning with a policy costs as much as reading so many bytes of an object. */
const SCOPE = 4096;

/** What variables stand for. */
class Variables extends LaterFields {
  readonly make: (name: string) => Turns<Value | undefined>;

  constructor(make: (name: string) => Turns<Value | undefined>) {
    super();
    this.make = make;
  }
}

function requestValue(request: AdmissionRequest, kind: Kind): JsonObject {
  const { namespace, name, operation, user, dryRun, subresource, options } = request;
  const type = (one: Kind): JsonObject => {
    const { group, version, kind: word } = request.objectKind ?? one;
    return { group, version, kind: word };
  };
  const resource = (one: Kind): JsonObject => ({ group: one.group, version: one.version, resource: one.resource });
  return {
    kind: type(kind),
    resource: resource(kind),
    subResource: subresource,
    requestKind: type(request.kind),
    requestResource: resource(request.kind),
    requestSubResource: subresource,
    name: name || (request.object?.metadata.name ?? ""),
    namespace,
    operation,
    userInfo: userInfo(user),
    dryRun,
    options,
  };
}
