import type { Json, JsonObject, KubeObject } from "@boxship/api";
import { structJson } from "@boxship/api/go-json";
import type { FlagValues, ParsedSet } from "@boxship/base/parse-flags";
import { withLastApplied } from "../apply-annotation.ts";
import { type Command, defineCommand, type Invocation } from "../command.ts";
import { PlainRefusal } from "../failure.ts";
import { bool, str } from "../flags.ts";
import { dryRunFlag, outputFlags } from "../global-flags.ts";
import { fieldValidation, parseDryRun, resultPrinter } from "../print/result.ts";
import { createObject } from "../request/objects.ts";
import type { Session } from "../session.ts";

export const generatorFlags = {
  ...outputFlags,
  ...dryRunFlag,
  "field-manager": str("kubectl-create"),
  "save-config": bool(),
  validate: str("strict", { bare: "strict" }),
};

type GeneratorFlags = typeof generatorFlags;

export interface Made<S extends ParsedSet> {
  readonly session: Session;
  readonly flags: FlagValues<S & GeneratorFlags>;
  readonly changed: ReadonlySet<string>;
  readonly name: string;
  /** What stands after `--`. */
  readonly words: readonly string[];
  readonly path: string;
}

export interface GeneratorOptions<S extends ParsedSet> {
  readonly usage: string;
  readonly summary: string;
  readonly flags: S;
  readonly required?: readonly string[];
  /** The object, fields in the order of Go's structs. */
  build(made: Made<S>): Promise<KubeObject> | KubeObject;
}

/** A command that makes one object of its flags. */
export function generator<const S extends ParsedSet>(options: GeneratorOptions<S>): Command {
  const { usage, summary, flags, required } = options;
  return defineCommand<ParsedSet>({
    usage,
    summary,
    flags: { ...generatorFlags, ...flags },
    ...(required !== undefined && { required }),
    async run(session, invocation) {
      const given = invocation as unknown as Invocation<S & GeneratorFlags>;
      const before = given.dash === undefined ? given.operands : given.operands.slice(0, given.dash);
      const words = given.dash === undefined ? [] : given.operands.slice(given.dash);
      const [name] = before;
      if (before.length !== 1 || name === undefined) throw countRefusal(before.length, given.path);
      const object = await options.build({
        session,
        flags: given.flags,
        changed: given.changed,
        name,
        words,
        path: given.path,
      });
      await createGenerated(session, object, given.flags);
    },
  });
}

const countRefusal = (count: number, path: string): PlainRefusal =>
  new PlainRefusal(`error: exactly one NAME is required, got ${count}\nSee '${path} -h' for help and examples`);

/** Creates it, or shows what would be. @param operation what is said of it */
export async function createGenerated(
  session: Session,
  generated: KubeObject,
  flags: FlagValues<GeneratorFlags>,
  operation = "created",
): Promise<KubeObject> {
  const dryRun = parseDryRun(flags["dry-run"]);
  const print = await resultPrinter(flags, operation, dryRun);
  const validation = fieldValidation(flags.validate);
  let object = flags["save-config"] ? withLastApplied(generated) : generated;
  if (dryRun === "client") {
    const { explicitNamespace, namespace } = await session.cluster();
    const { kind, metadata } = object;
    if (explicitNamespace && !CLUSTER_KINDS.has(kind)) {
      object = { ...object, metadata: { name: metadata.name ?? "", namespace, ...metadata } };
    }
    session.io.stdout.write(flags.output === "json" ? `${structJson(object, "    ")}\n` : print(object));
    return object;
  }
  const mapper = await session.mapper();
  const mapping = mapper.byKind(object.apiVersion, object.kind);
  if (mapping === undefined)
    throw new PlainRefusal(
      `error: no matches for kind ${JSON.stringify(object.kind)} in version ${JSON.stringify(object.apiVersion)}`,
    );
  const namespace = mapping.namespaced ? await session.namespace() : "";
  const options = { dryRun: dryRun === "server", fieldManager: flags["field-manager"], fieldValidation: validation };
  const made = await createObject(session, { mapping, namespace }, object, options);
  session.io.stdout.write(print(made));
  return made;
}

const CLUSTER_KINDS: ReadonlySet<string> = new Set(["Namespace", "ClusterRole", "ClusterRoleBinding", "PriorityClass"]);

/** An object in the order of Go's fields. */
export function objectOf(apiVersion: string, kind: string, metadata: JsonObject, rest: JsonObject): KubeObject {
  return { kind, apiVersion, metadata, ...rest };
}

/** `a=b,c=d` */
export function parseLabels(text: string): JsonObject {
  const labels: JsonObject = {};
  for (const pair of text.split(",")) {
    const [key = "", ...rest] = pair.split("=");
    if (rest.length !== 1 || key === "") throw new PlainRefusal(`error: unexpected label spec: ${pair}`);
    labels[key] = rest[0] ?? "";
  }
  return labels;
}

/** A number where it is one: ports and percentages. */
export const intOrString = (text: string): Json => (/^-?\d+$/.test(text) ? Number(text) : text);
