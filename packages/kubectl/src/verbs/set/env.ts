import { isObject, type Json, type JsonObject, listAt, textAt, valueAt } from "@boxship/api";
import { defineCommand } from "../../command.ts";
import { Refusal } from "../../failure.ts";
import { bool, slice, str } from "../../flags.ts";
import { getObject } from "../../request/objects.ts";
import { resolveTargets } from "../../resource/targets.ts";
import type { Session } from "../../session.ts";
import { forEachObject } from "../objects-of.ts";
import { splitPairs } from "../pairs.ts";
import { containersOf, patchContainers, setFlags, setOn } from "./pods.ts";

export const command = defineCommand({
  usage: "RESOURCE/NAME KEY_1=VAL_1 ... KEY_N=VAL_N",
  summary: "Update environment variables on a pod template",
  flags: {
    ...setFlags,
    containers: str("*", { short: "c" }),
    env: slice({ short: "e" }),
    from: str(),
    keys: slice(),
    list: bool(),
    overwrite: bool(true),
    prefix: str(),
    resolve: bool(),
  },
  async run(session, { flags, operands }) {
    if (flags.resolve) throw new Refusal("--resolve is not supported");
    const { resources, set, removed } = splitPairs([...operands, ...flags.env], "environment");
    if (resources.length === 0 && flags.filename.length === 0) {
      throw new Refusal("one or more resources must be specified as <resource> <name> or <resource>/<name>");
    }
    if (flags.list) return await list(session, resources, flags);
    const variables: Json[] = [...set].map(([name, value]) => ({ name, value, valueFrom: null }));
    if (flags.from !== "") variables.push(...(await fromSource(session, flags)));
    if (variables.length === 0 && removed.length === 0) return;
    await setOn(session, resources, flags, "env updated", (object) => {
      const found = containersOf(object, flags.containers);
      if (found.length === 0) {
        session.warn(
          `warning: ${object.kind}/${object.metadata.name ?? ""} does not have any containers matching ${JSON.stringify(flags.containers)}`,
        );
        return undefined;
      }
      return patchContainers(
        object,
        found.map((container) => ({
          ...container,
          change: { env: changesOf(container.value, variables, removed, flags.overwrite) },
        })),
      );
    });
  },
});

function changesOf(
  container: JsonObject,
  variables: readonly Json[],
  removed: readonly string[],
  overwrite: boolean,
): Json[] {
  const has = (name: string): boolean => listAt(container, "env").some((one) => textAt(one, "name") === name);
  const kept = variables.find((one) => !overwrite && has(textAt(one, "name")));
  if (kept !== undefined)
    throw new Refusal(
      `'${textAt(kept, "name")}' already has a value (${textAt(
        listAt(container, "env").find((one) => textAt(one, "name") === textAt(kept, "name")),
        "value",
      )}), and --overwrite is false`,
    );
  const gone = removed.filter(has).map((name): Json => ({ $patch: "delete", name }));
  return [...variables, ...gone];
}

/** References to the keys of a config map or a secret. */
async function fromSource(
  session: Session,
  flags: { readonly from: string; readonly keys: readonly string[]; readonly prefix: string },
): Promise<Json[]> {
  const [target] = await resolveTargets(session, [flags.from]);
  if (target === undefined) return [];
  const source = await getObject(session, target);
  const field = source.kind === "Secret" ? "secretKeyRef" : source.kind === "ConfigMap" ? "configMapKeyRef" : undefined;
  if (field === undefined) throw new Refusal(`unsupported resource specified in --from`);
  const data = valueAt(source, "data");
  const keys = Object.keys(isObject(data) ? data : {}).filter(
    (key) => flags.keys.length === 0 || flags.keys.includes(key),
  );
  const nameOf = (key: string): string => {
    const name = key.toUpperCase().replace(/[^A-Z0-9_]/g, "_");
    if (name !== key) session.warn(`Warning: key ${key} transferred to ${name}`);
    return `${flags.prefix}${name}`;
  };
  return keys.sort().map((key) => ({
    name: nameOf(key),
    value: null,
    valueFrom: { [field]: { name: target.name, key } },
  }));
}

async function list(
  session: Session,
  resources: readonly string[],
  flags: Parameters<typeof forEachObject>[2] & { readonly containers: string },
): Promise<void> {
  await forEachObject(session, resources, flags, async ({ object }) => {
    for (const { name, value } of containersOf(object, flags.containers)) {
      session.print(`# ${object.kind} ${object.metadata.name ?? ""}, container ${name}`);
      for (const one of listAt(value, "env")) session.print(lineOf(one));
    }
  });
}

function lineOf(variable: Json): string {
  const name = textAt(variable, "name");
  for (const [field, what] of [
    ["configMapKeyRef", "configmap"],
    ["secretKeyRef", "secret"],
  ] as const) {
    const reference = valueAt(variable, "valueFrom", field);
    if (reference !== undefined)
      return `# ${name} from ${what} ${textAt(reference, "name")}, key ${textAt(reference, "key")}`;
  }
  const path = textAt(variable, "valueFrom", "fieldRef", "fieldPath");
  if (path !== "") return `# ${name} from field path ${path}`;
  return `${name}=${textAt(variable, "value")}`;
}
