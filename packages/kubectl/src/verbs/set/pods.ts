import {
  applyStrategicMergePatch,
  deepEqual,
  type JsonObject,
  type KubeObject,
  listAt,
  textAt,
  valueAt,
} from "@boxship/api";
import type { Invocation } from "../../command.ts";
import { Refusal } from "../../failure.ts";
import { bool, str } from "../../flags.ts";
import { dryRunFlag, fileFlags, outputFlags, selectorFlag } from "../../global-flags.ts";
import { patchSchema } from "../../patch/schema-of.ts";
import { parseDryRun, resultPrinter } from "../../print/result.ts";
import { patchObject } from "../../request/objects.ts";
import { readObjects } from "../../resource/manifests.ts";
import type { Session } from "../../session.ts";
import { forEachObject } from "../objects-of.ts";
import { atPods, podSpecOf } from "../pod-template.ts";

export const setFlags = {
  ...fileFlags,
  ...outputFlags,
  ...dryRunFlag,
  ...selectorFlag,
  all: bool(),
  "field-manager": str("kubectl-set"),
  local: bool(),
};

export type SetFlags = Invocation<typeof setFlags>["flags"];

/** Changes what words, files or selectors name by strategic merge patches. @param patchOf undefined: it stays as it is */
export async function setOn(
  session: Session,
  words: readonly string[],
  flags: SetFlags,
  done: string,
  patchOf: (object: KubeObject) => JsonObject | undefined | Promise<JsonObject | undefined>,
): Promise<void> {
  const dryRun = parseDryRun(flags["dry-run"]);
  const print = await resultPrinter(flags, done, flags.local ? "none" : dryRun);
  const here = (object: KubeObject, patch: JsonObject): KubeObject => {
    const [group = "", version = object.apiVersion] = object.apiVersion.includes("/")
      ? object.apiVersion.split("/")
      : [];
    const schema = patchSchema({ group, version, kind: object.kind });
    if (schema === undefined) throw new Refusal(`${object.kind} is no built-in kind`);
    return applyStrategicMergePatch(schema, object, patch) as KubeObject;
  };
  if (flags.local) {
    for await (const { object } of readObjects(session, flags)) {
      const patch = await patchOf(object);
      if (patch !== undefined) session.io.stdout.write(print(here(object, patch)));
    }
    return;
  }
  await forEachObject(session, words, flags, async (found) => {
    const patch = await patchOf(found.object);
    if (patch === undefined) return;
    const wanted = here(found.object, patch);
    if (deepEqual(wanted, found.object) && flags.output === "") return;
    const options = { dryRun: dryRun === "server", fieldManager: flags["field-manager"] };
    const changed = dryRun === "client" ? wanted : await patchObject(session, found, "strategic", patch, options);
    session.io.stdout.write(print(changed));
  });
}

/** Containers of a pod or of a template whose names fit a pattern with stars. */
export function containersOf(
  object: KubeObject,
  pattern: string,
): readonly { readonly list: "containers" | "initContainers"; readonly name: string; readonly value: JsonObject }[] {
  const expression = new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`);
  const spec = podSpecOf(object);
  return (["initContainers", "containers"] as const).flatMap((list) =>
    listAt(spec, list)
      .map((value) => ({ list, name: textAt(value, "name"), value: value as JsonObject }))
      .filter(({ name }) => expression.test(name)),
  );
}

/** A patch of some containers. */
export function patchContainers(
  object: KubeObject,
  changes: readonly { readonly list: string; readonly name: string; readonly change: JsonObject }[],
): JsonObject | undefined {
  if (changes.length === 0) return undefined;
  const spec: JsonObject = {};
  for (const { list, name, change } of changes) {
    const before = valueAt(spec, list);
    spec[list] = [...(Array.isArray(before) ? before : []), { name, ...change }];
  }
  return atPods(object.kind, { spec });
}
