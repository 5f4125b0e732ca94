import { isDeepStrictEqual } from "node:util";
import { isObject, type JsonObject, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import { uncoveredRules } from "@boxship/api/rules";
import { defineCommand } from "../../command.ts";
import { statusAt } from "../../error-text.ts";
import { Refusal, throwAll } from "../../failure.ts";
import { bool } from "../../flags.ts";
import { dryRunFlag, fileFlags, outputFlags } from "../../global-flags.ts";
import { parseDryRun, type ResultPrinter, resultPrinter } from "../../print/result.ts";
import {
  createObject,
  deleteObject,
  findObject,
  isConflict,
  isNotFound,
  type ObjectPlace,
  replaceObject,
} from "../../request/objects.ts";
import { type Manifest, readWhatCan } from "../../resource/manifests.ts";
import type { Session } from "../../session.ts";

const GROUP = "rbac.authorization.k8s.io";
const AUTO_UPDATE = "rbac.authorization.kubernetes.io/autoupdate";
const MOST_TRIES = 3;

const flags = {
  ...fileFlags,
  ...outputFlags,
  ...dryRunFlag,
  "remove-extra-permissions": bool(),
  "remove-extra-subjects": bool(),
};

export const command = defineCommand({
  usage: "-f FILENAME",
  summary: "Reconciles rules for RBAC role, role binding, cluster role, and cluster role binding objects",
  flags,
  async run(session, { flags: given, operands }) {
    if (given.filename.length === 0 && given.kustomize === "") throw new Refusal("must specify one of -f and -k");
    if (operands.length > 0) throw new Refusal("no arguments are allowed");
    const dryRun = parseDryRun(given["dry-run"]);
    if (dryRun === "server") throw new Refusal("--dry-run=server for command reconcile is not supported yet");
    const errors: unknown[] = [];
    const manifests = await readWhatCan(session, given, errors);
    throwAll(errors);
    const print = await resultPrinter(given, "reconciled", dryRun);
    const work: Work = {
      session,
      print,
      writes: dryRun === "none",
      removesRules: given["remove-extra-permissions"],
      removesSubjects: given["remove-extra-subjects"],
    };
    for (const manifest of manifests) {
      const { group, version, kind } = manifest.mapping;
      if (group !== GROUP) continue;
      if (version !== "v1") throw new Refusal(`only ${GROUP}/v1 is supported: not *${version}.${kind}`);
      await reconcile(work, manifest);
    }
  },
});

interface Work {
  readonly session: Session;
  readonly print: ResultPrinter;
  readonly writes: boolean;
  readonly removesRules: boolean;
  readonly removesSubjects: boolean;
}

interface Plan {
  readonly object: KubeObject;
  readonly operation: "none" | "create" | "update" | "recreate";
  readonly missing: readonly JsonObject[];
  readonly extra: readonly JsonObject[];
}

async function reconcile(work: Work, manifest: Manifest): Promise<void> {
  const { session, writes } = work;
  for (let tries = 1; ; tries++) {
    const before = await findObject(session, manifest);
    const plan = before === undefined ? toCreate(manifest) : planOf(work, manifest, before);
    const isProtected = textAt(before, "metadata", "annotations", AUTO_UPDATE) === "false";
    try {
      const object = writes && !isProtected ? await carryOut(session, manifest, plan, before) : plan.object;
      tell(work, { ...plan, object }, isProtected);
      return;
    } catch (error) {
      // Somebody else was here in the meantime.
      const again = isConflict(error) || isNotFound(error) || statusAt(error)?.reason === "AlreadyExists";
      if (!again || tries === MOST_TRIES) throw error;
    }
  }
}

const listed = (object: KubeObject, field: string): readonly JsonObject[] => listAt(object, field).filter(isObject);
const fieldOf = ({ mapping }: ObjectPlace): "subjects" | "rules" =>
  mapping.kind.endsWith("Binding") ? "subjects" : "rules";

const toCreate = (manifest: Manifest): Plan => ({
  object: manifest.object,
  operation: "create",
  missing: listed(manifest.object, fieldOf(manifest)),
  extra: [],
});

function planOf(work: Work, manifest: Manifest, before: KubeObject): Plan {
  const wanted = manifest.object;
  const field = fieldOf(manifest);
  if (field === "subjects" && !isDeepStrictEqual(wanted["roleRef"], before["roleRef"])) {
    return { object: wanted, operation: "recreate", missing: [], extra: [] };
  }
  const metadata = {
    ...before.metadata,
    ...merged("annotations", wanted, before),
    ...merged("labels", wanted, before),
  };
  const [own, asked] = [listed(before, field), listed(wanted, field)];
  const both = field === "rules" && wanted["aggregationRule"] !== undefined && before["aggregationRule"] !== undefined;
  const left = field === "rules" ? uncovered : unlike;
  const [missing, extra] = [left(own, asked), both ? [] : left(asked, own)];
  const removes = field === "rules" ? work.removesRules : work.removesSubjects;
  const list = removes && missing.length + extra.length > 0 ? asked : [...own, ...(removes ? [] : missing)];
  const object = {
    ...before,
    metadata,
    ...(list.length > 0 || Array.isArray(before[field]) ? { [field]: [...list] } : {}),
  };
  const whole = field === "rules" ? withAggregation(object, wanted, work.removesRules) : object;
  const operation = isDeepStrictEqual(whole, before) ? "none" : "update";
  return { object: whole, operation, missing, extra };
}

/** What the object has stays as it is. */
function merged(field: "annotations" | "labels", wanted: KubeObject, before: KubeObject) {
  const [left, right] = [wanted.metadata[field], before.metadata[field]];
  return left === undefined && right === undefined ? {} : { [field]: { ...left, ...right } };
}

const uncovered = (own: readonly JsonObject[], wanted: readonly JsonObject[]): readonly JsonObject[] =>
  uncoveredRules(own, wanted) as readonly JsonObject[];

const unlike = (own: readonly JsonObject[], wanted: readonly JsonObject[]): readonly JsonObject[] =>
  wanted.filter(
    (one, index) =>
      !own.some((other) => isDeepStrictEqual(one, other)) &&
      wanted.findIndex((other) => isDeepStrictEqual(one, other)) === index,
  );

function withAggregation(object: KubeObject, wanted: KubeObject, removes: boolean): KubeObject {
  const { aggregationRule: before, ...rest } = object;
  const rule = wanted["aggregationRule"];
  if (rule === undefined) return rest;
  const selectors = listAt(rule, "clusterRoleSelectors");
  const own = listAt(before, "clusterRoleSelectors");
  const missing = selectors.filter((one) => !own.some((other) => isDeepStrictEqual(one, other)));
  const list = removes ? selectors : [...own, ...missing];
  const same = isDeepStrictEqual(list, own) && before !== undefined;
  return { ...object, aggregationRule: same ? before : { clusterRoleSelectors: [...list] } };
}

async function carryOut(
  session: Session,
  manifest: Manifest,
  { object, operation }: Plan,
  before: KubeObject | undefined,
): Promise<KubeObject> {
  switch (operation) {
    case "none":
      return object;
    case "update":
      return await replaceObject(session, manifest, object);
    case "recreate": {
      const uid = before?.metadata.uid ?? "";
      await deleteObject(session, manifest, { uid }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
      return await createObject(session, manifest, object);
    }
    case "create":
      if (manifest.namespace !== "") await ensureNamespace(session, manifest.namespace);
      return await createObject(session, manifest, object);
  }
}

async function ensureNamespace(session: Session, name: string): Promise<void> {
  const mapping = (await session.mapper()).known("", "namespaces");
  try {
    if ((await findObject(session, { mapping, namespace: "", name })) !== undefined) return;
  } catch (error) {
    if (statusAt(error)?.reason !== "Forbidden") throw error;
  }
  const object = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
  try {
    await createObject(session, { mapping, namespace: "" }, object);
  } catch (error) {
    // Who may not make one is told so by what follows.
    if (!["AlreadyExists", "Forbidden"].includes(statusAt(error)?.reason ?? "")) throw error;
  }
}

function tell(work: Work, { object, operation, missing, extra }: Plan, isProtected: boolean): void {
  const { session, print, removesRules, removesSubjects } = work;
  session.io.stdout.write(print(object));
  if (operation === "none") return;
  const caveat = isProtected ? `, but object opted out (${AUTO_UPDATE}: false)` : "";
  session.warn(`\treconciliation required ${operation}${caveat}`);
  const isBinding = textAt(object, "kind").endsWith("Binding");
  const what = isBinding ? "subjects" : "rules";
  const text = isBinding ? subjectText : ruleText;
  const show = (title: string, items: readonly JsonObject[]): void => {
    if (items.length > 0) session.warn(`\t${title}:\n${items.map((one) => `\t\t${text(one)}`).join("\n")}`);
  };
  show(`missing ${what} added`, missing);
  if (isBinding ? removesSubjects : removesRules) show(`extra ${what} removed`, extra);
}

const RULE = [
  ["Verbs", "verbs"],
  ["APIGroups", "apiGroups"],
  ["Resources", "resources"],
  ["ResourceNames", "resourceNames"],
  ["NonResourceURLs", "nonResourceURLs"],
] as const;

/** As Go shows a struct. */
const ruleText = (rule: JsonObject): string =>
  `{${RULE.map(
    ([name, field]) =>
      `${name}:[${listAt(rule, field)
        .map((one) => textAt(one))
        .join(" ")}]`,
  ).join(" ")}}`;

const SUBJECT = [
  ["Kind", "kind"],
  ["APIGroup", "apiGroup"],
  ["Name", "name"],
  ["Namespace", "namespace"],
] as const;

const subjectText = (subject: JsonObject): string =>
  `{${SUBJECT.map(([name, field]) => `${name}:${textAt(valueAt(subject, field))}`).join(" ")}}`;
