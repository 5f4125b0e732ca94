import { isObject, type JsonObject, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import { loadYaml, toYaml } from "@boxship/api/yaml";
import { unifiedDiff } from "@boxship/base";
import { errorMessage, FailedPrecondition } from "@boxship/base/errors";
import {
  createObject,
  findObject,
  isConflict,
  isNotFound,
  listObjects,
  type ObjectPlace,
  replaceObject,
  type Session,
} from "@boxship/kubectl/cluster";
import { type Chart, crdFiles } from "../chart/chart.ts";
import { splitManifests } from "../manifest/manifest.ts";
import { waitUntilReady } from "../release/readiness.ts";

/** What a chart would do with one definition. */
export interface DefinitionPlan {
  readonly place: ObjectPlace;
  readonly action: "create" | "update" | "none" | "refuse";
  /** Why it is refused, one line each. */
  readonly problems: readonly string[];
  /** What is good to know, one line each. */
  readonly notes: readonly string[];
  /** What would be other in the cluster, as a unified diff. */
  readonly diff: string;
  readonly object: JsonObject;
}

/** The definitions that a chart and those in it bring. */
export function definitionsOf(chart: Chart): readonly JsonObject[] {
  return crdFiles(chart).flatMap(({ data }) =>
    splitManifests(data.toString("utf8"))
      .map((text) => loadYaml(text))
      .filter(isObject),
  );
}

/**
 * Compares a chart's definitions with those of the cluster, without changing any. What is stored in a version that the
 * chart no longer has could not be read any more: that is refused, as is what cannot be changed.
 */
export async function planDefinitions(session: Session, chart: Chart): Promise<readonly DefinitionPlan[]> {
  const mapping = (await session.mapper()).known("apiextensions.k8s.io", "customresourcedefinitions");
  const plans: DefinitionPlan[] = [];
  for (const object of definitionsOf(chart)) {
    const place = { mapping, namespace: "", name: textAt(object, "metadata", "name") };
    const there = await findObject(session, place);
    plans.push(there === undefined ? newPlan(place, object) : await changePlan(session, place, object, there));
  }
  return plans;
}

const newPlan = (place: ObjectPlace, object: JsonObject): DefinitionPlan => ({
  place,
  action: "create",
  problems: [],
  notes: [],
  diff: unifiedDiff("", toYaml(object), `CustomResourceDefinition/${place.name}`),
  object,
});

async function changePlan(
  session: Session,
  place: ObjectPlace,
  object: JsonObject,
  there: KubeObject,
): Promise<DefinitionPlan> {
  const wanted = merged(object, there);
  const problems = [...storedProblems(object, there), ...fixedProblems(object, there)];
  let after: KubeObject | undefined;
  if (problems.length === 0) {
    try {
      after = await replaceDefinition(session, place, wanted, true);
    } catch (error) {
      problems.push(`the server refuses it: ${errorMessage(error)}`);
    }
  }
  const [before, then] = [toYaml(shown(there)), toYaml(shown(after ?? (wanted as unknown as KubeObject)))];
  const diff = before === then ? "" : unifiedDiff(before, then, `CustomResourceDefinition/${place.name}`);
  const action = problems.length > 0 ? "refuse" : diff === "" ? "none" : "update";
  const notes = action === "none" ? [] : await notesOf(session, object, there);
  return { place, action, problems, notes, diff, object: wanted };
}

/** Replaces a definition; that its status has changed meanwhile, which the cluster writes when it likes, is no conflict. */
async function replaceDefinition(
  session: Session,
  place: ObjectPlace,
  object: JsonObject,
  dryRun: boolean,
): Promise<KubeObject> {
  let wanted = object;
  for (let left = 5; ; left--) {
    try {
      return await replaceObject(session, place, wanted, { dryRun, fieldManager: "helm" });
    } catch (error) {
      const there = isConflict(error) && left > 0 ? await findObject(session, place) : undefined;
      if (there === undefined || valueAt(wanted, "metadata", "generation") !== there.metadata.generation) throw error;
      const metadata = {
        ...(isObject(wanted["metadata"]) ? wanted["metadata"] : {}),
        resourceVersion: textAt(there, "metadata", "resourceVersion"),
      };
      wanted = { ...wanted, metadata };
    }
  }
}

const versionsOf = (object: unknown): readonly JsonObject[] =>
  listAt(object as JsonObject, "spec", "versions").filter(isObject);

function storedProblems(object: JsonObject, there: KubeObject): string[] {
  const has = new Set(versionsOf(object).map((one) => textAt(one, "name")));
  return listAt(there, "status", "storedVersions")
    .map((one) => textAt(one))
    .filter((one) => !has.has(one))
    .map((one) => `objects may be stored in version ${one}, which the chart's definition no longer has`);
}

const FIXED = [
  ["spec", "group"],
  ["spec", "scope"],
  ["spec", "names", "plural"],
  ["spec", "names", "kind"],
] as const;

function fixedProblems(object: JsonObject, there: KubeObject): string[] {
  return FIXED.filter((path) => textAt(object, ...path) !== textAt(there, ...path)).map(
    (path) =>
      `${path.join(".")} cannot be changed: it is ${JSON.stringify(textAt(there, ...path))}, the chart has ${JSON.stringify(textAt(object, ...path))}`,
  );
}

async function notesOf(session: Session, object: JsonObject, there: KubeObject): Promise<string[]> {
  const served = (all: readonly JsonObject[]) =>
    all.filter((one) => one["served"] === true).map((one) => textAt(one, "name"));
  const storage = (all: readonly JsonObject[]) => textAt(all.find((one) => one["storage"] === true) ?? {}, "name");
  const [before, after] = [versionsOf(there), versionsOf(object)];
  const left = new Set(served(after));
  const notes = served(before)
    .filter((name) => !left.has(name))
    .map((name) => `version ${name} is no longer served: clients of it fail`);
  if (storage(before) !== storage(after)) {
    notes.push(`objects are stored in ${storage(after)} instead of ${storage(before)} when they are written next`);
  }
  const mapping = (await session.mapper()).byKind(
    `${textAt(there, "spec", "group")}/${storage(before)}`,
    textAt(there, "spec", "names", "kind"),
  );
  if (mapping !== undefined) {
    const many = await listObjects(session, mapping, "").then(
      ({ length }) => length,
      (error: unknown) => {
        if (!isNotFound(error)) throw error;
        return 0;
      },
    );
    notes.push(`the cluster has ${many} object${many === 1 ? "" : "s"} of it`);
  }
  return notes;
}

/** What the chart has over what is there; certificates that others put into a conversion stay. */
function merged(object: JsonObject, there: KubeObject): JsonObject {
  const metadata = isObject(object["metadata"]) ? object["metadata"] : {};
  const over = (field: "labels" | "annotations"): JsonObject => ({
    ...(there.metadata[field] as JsonObject | undefined),
    ...(isObject(metadata[field]) ? metadata[field] : {}),
  });
  const spec = isObject(object["spec"]) ? object["spec"] : {};
  return {
    ...object,
    metadata: {
      ...metadata,
      labels: over("labels"),
      annotations: over("annotations"),
      resourceVersion: there.metadata.resourceVersion ?? "",
      generation: there.metadata.generation ?? 0,
    },
    spec: withBundle(spec, textAt(there, "spec", "conversion", "webhook", "clientConfig", "caBundle")),
  };
}

function withBundle(spec: JsonObject, caBundle: string): JsonObject {
  const conversion = isObject(spec["conversion"]) ? spec["conversion"] : {};
  const webhook = isObject(conversion["webhook"]) ? conversion["webhook"] : undefined;
  if (caBundle === "" || webhook === undefined || !isObject(webhook["clientConfig"])) return spec;
  const clientConfig = { caBundle, ...webhook["clientConfig"] };
  return { ...spec, conversion: { ...conversion, webhook: { ...webhook, clientConfig } } };
}

/** The parts that a chart can say something about. */
function shown({ metadata, spec }: KubeObject & { readonly spec?: unknown }): JsonObject {
  const { labels = {}, annotations = {} } = metadata;
  return { labels, annotations, spec: (spec ?? {}) as JsonObject };
}

/** The plans as users read them. */
export function definitionsText(plans: readonly DefinitionPlan[]): string {
  const WORDS = { create: "is made", update: "is changed", none: "stays as it is", refuse: "CANNOT BE CHANGED" };
  return plans
    .map(({ place, action, problems, notes, diff }) => {
      const lines = [...problems.map((one) => `  problem: ${one}`), ...notes.map((one) => `  note: ${one}`)];
      return [`${place.name} ${WORDS[action]}`, ...lines, ...(diff === "" ? [] : [diff.trimEnd()])].join("\n");
    })
    .join("\n");
}

/** @throws FailedPrecondition that names all that cannot be changed */
export function checkDefinitions(plans: readonly DefinitionPlan[]): void {
  const refused = plans.filter(({ action }) => action === "refuse");
  if (refused.length === 0) return;
  const why = refused.flatMap(({ place, problems }) => problems.map((one) => `${place.name}: ${one}`)).join("; ");
  throw new FailedPrecondition(`definitions cannot be upgraded: ${why}`, {
    remedy:
      "for stored versions, write all objects anew in a version that stays, then take the old one from status.storedVersions",
  });
}

/** Does what was planned, and waits until the definitions are established. @returns how many were made or changed */
export async function applyDefinitions(
  session: Session,
  plans: readonly DefinitionPlan[],
  timeout: number,
): Promise<number> {
  checkDefinitions(plans);
  const changed = plans.filter(({ action }) => action !== "none");
  for (const { place, action, object } of changed) {
    if (action === "create") await createObject(session, place, object, { fieldManager: "helm" });
    else await replaceDefinition(session, place, object, false);
  }
  await waitUntilReady(
    session,
    changed.map(({ place }) => place),
    { timeout, wanted: "ready" },
  );
  if (changed.length > 0) session.forgetDiscovery();
  return changed.length;
}
