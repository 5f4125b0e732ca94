import { type Json, listAt, textAt, valueAt } from "@boxship/api";
import { defineCommand } from "../../command.ts";
import { PlainRefusal, Refusal } from "../../failure.ts";
import { bool, str } from "../../flags.ts";
import { alignRows } from "../../print/table.ts";
import type { Mapping } from "../../resource/discovery.ts";
import type { Session } from "../../session.ts";

const REVIEWS = "/apis/authorization.k8s.io/v1";

export const command = defineCommand({
  usage: "VERB [TYPE | TYPE/NAME | NONRESOURCEURL]",
  summary: "Check whether an action is allowed",
  flags: {
    "all-namespaces": bool(false, { short: "A" }),
    list: bool(),
    "no-headers": bool(),
    quiet: bool(false, { short: "q" }),
    subresource: str(),
  },
  async run(session, { flags, operands }) {
    if (flags.list) {
      if (operands.length > 0) throw new Refusal("list option must be specified with no arguments");
      return await listRules(session, flags["no-headers"]);
    }
    const [verb = "", what = "", name = ""] = operands;
    if (operands.length < 2 || operands.length > 3) {
      throw new PlainRefusal(
        "error: you must specify two arguments: verb resource or verb resource/resourceName.\nSee 'kubectl auth can-i -h' for help and examples.",
      );
    }
    const namespace = flags["all-namespaces"] ? "" : await session.namespace();
    const spec = what.startsWith("/")
      ? { nonResourceAttributes: { verb, path: what } }
      : {
          resourceAttributes: await attributes(session, verb, what, name, {
            namespace,
            subresource: flags.subresource,
          }),
        };
    const body = { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec };
    const answer = await (await session.api()).call("POST", `${REVIEWS}/selfsubjectaccessreviews`, { body });
    const allowed = valueAt(answer, "status", "allowed") === true;
    if (!flags.quiet) {
      const reason = textAt(answer, "status", "reason");
      const error = textAt(answer, "status", "evaluationError");
      const more = `${allowed || reason === "" ? "" : ` - ${reason}`}${error === "" ? "" : ` - ${error}`}`;
      session.print(`${allowed ? "yes" : "no"}${more}`);
    }
    if (!allowed) throw new PlainRefusal("");
  },
});

async function attributes(
  session: Session,
  verb: string,
  what: string,
  third: string,
  { namespace, subresource }: { readonly namespace: string; readonly subresource: string },
): Promise<Readonly<Record<string, string>>> {
  const [type = "", slashed = ""] = what.split("/");
  const name = third || slashed;
  const mapping = type === "*" ? undefined : await mappingOf(session, type);
  if (type !== "*" && mapping === undefined) {
    session.warn(`Warning: the server doesn't have a resource type '${type}'\n`);
  } else if (mapping !== undefined && !mapping.namespaced && namespace !== "") {
    session.warn(
      `Warning: resource '${mapping.resource}' is not namespace scoped${mapping.group === "" ? "" : ` in group '${mapping.group}'`}\n`,
    );
  }
  return {
    verb,
    ...(namespace !== "" && { namespace }),
    group: mapping?.group ?? (type === "*" ? "*" : type.split(".").slice(1).join(".")),
    resource: mapping?.resource ?? type.split(".")[0] ?? "",
    ...(subresource !== "" && { subresource }),
    ...(name !== "" && { name }),
  };
}

async function mappingOf(session: Session, type: string): Promise<Mapping | undefined> {
  return (await session.mapper()).find(type);
}

async function listRules(session: Session, noHeaders: boolean): Promise<void> {
  const namespace = await session.namespace();
  const body = { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectRulesReview", spec: { namespace } };
  const answer = await (await session.api()).call("POST", `${REVIEWS}/selfsubjectrulesreviews`, { body });
  const rows = [
    ...resourceRows(listAt(answer, "status", "resourceRules")),
    ...pathRows(listAt(answer, "status", "nonResourceRules")),
  ];
  rows.sort((a, b) => (ruleKey(a) < ruleKey(b) ? -1 : ruleKey(a) > ruleKey(b) ? 1 : 0));
  const header = ["Resources", "Non-Resource URLs", "Resource Names", "Verbs"];
  session.io.stdout.write(alignRows(noHeaders ? rows : [header, ...rows]));
  if (valueAt(answer, "status", "incomplete") === true) {
    session.warn(`Warning: the list may be incomplete: ${textAt(answer, "status", "evaluationError")}`);
  }
}

const texts = (value: Json, field: string): readonly string[] => listAt(value, field).map((one) => textAt(one));
const bracketed = (values: readonly string[]): string => `[${values.join(" ")}]`;

/** One row a resource, verbs of all rules together. */
function resourceRows(rules: readonly Json[]): readonly (readonly string[])[] {
  const verbs = new Map<string, { readonly resource: string; readonly names: string; readonly verbs: string[] }>();
  for (const rule of rules) {
    const groups = texts(rule, "apiGroups");
    for (const resource of texts(rule, "resources")) {
      for (const group of groups) {
        const names = bracketed([...texts(rule, "resourceNames")].sort());
        const full = group === "" ? resource : `${resource}.${group}`;
        const row = verbs.get(`${full} ${names}`) ?? { resource: full, names, verbs: [] };
        for (const verb of texts(rule, "verbs")) if (!row.verbs.includes(verb)) row.verbs.push(verb);
        verbs.set(`${full} ${names}`, row);
      }
    }
  }
  return [...verbs.values()].map((row) => [row.resource, "[]", row.names, bracketed(row.verbs)]);
}

function pathRows(rules: readonly Json[]): readonly (readonly string[])[] {
  return rules.flatMap((rule) =>
    texts(rule, "nonResourceURLs").map((url) => ["", `[${url}]`, "[]", bracketed(texts(rule, "verbs"))]),
  );
}

/** Rows in the order of their rules as Go prints them: by verbs, groups, resources, names, paths. */
function ruleKey([resource = "", path = "", names = "", verbs = ""]: readonly string[]): string {
  const [name = "", ...group] = resource.split(".");
  const groups = resource === "" ? "[]" : `[${group.join(".")}]`;
  return `${verbs},${groups},${resource === "" ? "[]" : `[${name}]`},${names},${path}`;
}
