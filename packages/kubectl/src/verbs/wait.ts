import { isObject, type Json, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import { defineCommand } from "../command.ts";
import { PlainRefusal, Refusal, Refusals, throwAll } from "../failure.ts";
import { array, bool, duration, str } from "../flags.ts";
import { fileFlags, outputFlags, selectorFlag } from "../global-flags.ts";
import { JsonPathTemplate, relaxedPath } from "../print/jsonpath.ts";
import { resultPrinter } from "../print/result.ts";
import { findObject, isNotFound, listObjects, type ObjectPlace } from "../request/objects.ts";
import { collectionPathOf } from "../resource/discovery.ts";
import { readManifests } from "../resource/manifests.ts";
import { resolveTargets } from "../resource/targets.ts";
import type { Session } from "../session.ts";
import { waitForOne } from "./wait-gone.ts";

const flags = {
  ...fileFlags,
  ...outputFlags,
  ...selectorFlag,
  all: bool(),
  "all-namespaces": bool(false, { short: "A" }),
  "field-selector": str(),
  for: array(),
  local: bool(),
  timeout: duration(30_000),
};

type Condition =
  | { readonly kind: "delete" | "create" }
  | { readonly kind: "met"; readonly isMet: (object: Json) => boolean };

export const command = defineCommand({
  usage:
    "([-f FILENAME] | resource.group/resource.name | resource.group [(-l label | --all)]) --for=create|--for=delete|--for condition=CONDITION",
  summary: "Wait for a specific condition on one or many resources",
  flags,
  async run(session, { flags: given, operands }) {
    if (given.for.length === 0) throw new Refusal("unrecognized condition: []");
    if (given.local) throw new Refusal("--local is not supported");
    const conditions = given.for.map(parseCondition);
    const print = await resultPrinter(given, "condition met", "none");
    const late = AbortSignal.timeout(given.timeout < 0 ? 7 * 24 * 3_600_000 : Math.max(given.timeout, 1));
    const only = conditions.every(({ kind }) => kind === "delete");
    const places = await placesOf(
      session,
      given,
      operands,
      conditions.some(({ kind }) => kind === "create"),
      late,
    );
    if (places.length === 0 && !only) throw new Refusal("no matching resources found");
    const errors: unknown[] = [];
    for (const place of places) {
      try {
        let last: KubeObject | undefined;
        for (const condition of conditions) last = await waitFor(session, place, condition, late);
        if (last !== undefined) session.io.stdout.write(print(last));
      } catch (error) {
        errors.push(...(error instanceof Refusals ? error.errors : [error]));
      }
    }
    throwAll(errors);
  },
});

function parseCondition(word: string): Condition {
  const lower = word.toLowerCase();
  if (lower === "delete" || lower === "create") return { kind: lower };
  if (word.startsWith("condition=")) {
    const [name = "", value = "true"] = word.slice("condition=".length).split("=");
    return { kind: "met", isMet: (object) => conditionIs(object, name, value) };
  }
  if (!word.startsWith("jsonpath=")) throw new Refusal(`unrecognized condition: ${JSON.stringify(word)}`);
  const match = /^(\{.*\}|[^=]*?(?:\[.*\][^=]*?)*)(?:=(.*))?$/s.exec(word.slice("jsonpath=".length));
  const [path = "", value] = [match?.[1], match?.[2]];
  if (path === "") throw new Refusal("jsonpath wait condition must have value");
  if (value === "") throw new Refusal("jsonpath wait value cannot be empty");
  const template = new JsonPathTemplate(relaxedPath(unquoted(path)));
  return {
    kind: "met",
    isMet(object) {
      const found = template.find(object).flat();
      if (found.length === 0) return false;
      return value === undefined ? true : found.length === 1 && textOf(found[0] ?? null) === unquoted(value);
    },
  };
}

const unquoted = (text: string): string => text.trim().replace(/^(["'])(.*)\1$/s, "$2");
const textOf = (value: Json): string => (isObject(value) || Array.isArray(value) ? "" : String(value));

function conditionIs(object: Json, name: string, value: string): boolean {
  const found = listAt(object, "status", "conditions").find(
    (one) => textAt(one, "type").toLowerCase() === name.toLowerCase(),
  );
  if (found === undefined) return false;
  const generation = Number(valueAt(object, "metadata", "generation") ?? 0);
  const observed = valueAt(found, "observedGeneration") ?? valueAt(object, "status", "observedGeneration");
  if (observed !== undefined && Number(observed) < generation) return false;
  return textAt(found, "status").toLowerCase() === value.toLowerCase();
}

async function placesOf(
  session: Session,
  given: { readonly [K in keyof typeof flags]: (typeof flags)[K]["initial"] },
  operands: readonly string[],
  creation: boolean,
  late: AbortSignal,
): Promise<readonly ObjectPlace[]> {
  if (given.filename.length > 0 || given.kustomize !== "") return await readManifests(session, given);
  const selected = given.selector !== "" || given["field-selector"] !== "";
  const options = { selected, allNamespaces: given["all-namespaces"], all: given.all };
  const targets = await resolveTargets(session, operands, options);
  const places: ObjectPlace[] = [];
  for (const target of targets) {
    if (target.name !== "") {
      places.push(target);
      continue;
    }
    const query = { labelSelector: given.selector, fieldSelector: given["field-selector"] };
    for (;;) {
      const objects = await listObjects(session, target.mapping, target.namespace, query);
      for (const { metadata } of objects) {
        places.push({ mapping: target.mapping, namespace: metadata.namespace ?? "", name: metadata.name ?? "" });
      }
      if (!creation || objects.length > 0 || late.aborted) break;
      await firstOf(session, target.mapping, target.namespace, query, late);
    }
  }
  return places;
}

async function firstOf(
  session: Session,
  mapping: ObjectPlace["mapping"],
  namespace: string,
  query: { readonly labelSelector: string; readonly fieldSelector: string },
  signal: AbortSignal,
): Promise<void> {
  const api = await session.api();
  try {
    for await (const { type } of api.watch(collectionPathOf(mapping, namespace), { query, signal })) {
      if (type === "ADDED") return;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function waitFor(
  session: Session,
  place: ObjectPlace,
  condition: Condition,
  late: AbortSignal,
): Promise<KubeObject | undefined> {
  const { mapping, namespace, name } = place;
  const timedOut = () => new PlainRefusal(`error: timed out waiting for the condition on ${mapping.resource}/${name}`);
  if (condition.kind === "delete") {
    const found = await findObject(session, place);
    if (found === undefined) return undefined;
    if (await waitForOne(session, { ...place, uid: found.metadata.uid ?? "" }, late)) return found;
    throw timedOut();
  }
  const isMet = (object: KubeObject): boolean => condition.kind !== "met" || condition.isMet(object);
  const api = await session.api();
  while (!late.aborted) {
    const found = await findObject(session, place);
    if (found !== undefined && isMet(found)) return found;
    if (found === undefined && condition.kind !== "create") await rethrowMissing(session, place);
    const resourceVersion = found === undefined ? undefined : textAt(found, "metadata", "resourceVersion");
    const query = { fieldSelector: `metadata.name=${name}`, resourceVersion };
    try {
      for await (const { type, object } of api.watch(collectionPathOf(mapping, namespace), { query, signal: late })) {
        if (type === "DELETED") break;
        if (type !== "BOOKMARK" && isMet(object as KubeObject)) return object as KubeObject;
      }
    } catch (error) {
      if (!late.aborted) throw error;
    }
  }
  throw condition.kind === "create" ? new PlainRefusal("error: timed out waiting for the condition") : timedOut();
}

async function rethrowMissing(session: Session, { mapping, namespace, name }: ObjectPlace): Promise<void> {
  const api = await session.api();
  try {
    await api.call("GET", `${collectionPathOf(mapping, namespace)}/${name}`);
  } catch (error) {
    if (isNotFound(error)) throw error;
  }
}
