import {
  applyMergePatch,
  deepEqual,
  isObject,
  type Json,
  type JsonObject,
  type KubeObject,
  textAt,
  valueAt,
} from "@boxship/api";
import { type Command, defineCommand } from "../command.ts";
import { Refusal } from "../failure.ts";
import { bool, str } from "../flags.ts";
import { dryRunFlag, fileFlags, outputFlags, selectorFlag } from "../global-flags.ts";
import { parseDryRun, resultPrinter } from "../print/result.ts";
import { patchObject } from "../request/objects.ts";
import { readObjects } from "../resource/manifests.ts";
import type { Session } from "../session.ts";
import { forEachObject } from "./objects-of.ts";
import { type SplitWords, splitPairs } from "./pairs.ts";

const flags = {
  ...fileFlags,
  ...outputFlags,
  ...dryRunFlag,
  ...selectorFlag,
  all: bool(),
  "all-namespaces": bool(false, { short: "A" }),
  "field-manager": str(),
  "field-selector": str(),
  list: bool(),
  local: bool(),
  overwrite: bool(),
  "resource-version": str(),
};

/** `label` and `annotate`: the same, but for words. */
export function markCommand(field: "labels" | "annotations", verb: "label" | "annotate"): Command<typeof flags> {
  const word = field === "labels" ? "label" : "annotation";
  return defineCommand({
    usage: "[--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N",
    summary: `Update the ${field} on a resource`,
    flags,
    async run(session, { flags: given, operands }) {
      const words = splitPairs(operands, word);
      if (words.resources.length === 0 && given.filename.length === 0 && given.kustomize === "") {
        throw new Refusal("one or more resources must be specified as <resource> <name> or <resource>/<name>");
      }
      if (words.set.size === 0 && words.removed.length === 0 && !given.list) {
        throw new Refusal(`at least one ${word} update is required`);
      }
      const dryRun = parseDryRun(given["dry-run"]);
      const operation = verb === "label" ? "labeled" : "annotated";
      const print = await resultPrinter(given, operation, given.local ? "none" : dryRun);
      const change = async (object: KubeObject, patch: (patch: JsonObject) => Promise<KubeObject>): Promise<void> => {
        if (given.list) return list(session, object, field);
        const before = valueAt(object, "metadata", field);
        checkOverwrite(before, words, given.overwrite, verb);
        const values: JsonObject = { ...Object.fromEntries(words.set) };
        for (const key of words.removed) values[key] = null;
        if (verb === "label") reportMissing(session, before, words.removed);
        const metadata: JsonObject = { [field]: values };
        if (given["resource-version"] !== "") metadata["resourceVersion"] = given["resource-version"];
        const changed = await patch({ metadata });
        const same = deepEqual(before ?? {}, valueAt(changed, "metadata", field) ?? {});
        const onlyRemoved = words.set.size === 0;
        const told = verb === "annotate" ? operation : same ? "not labeled" : onlyRemoved ? "unlabeled" : operation;
        session.io.stdout.write(print(changed, told));
      };
      const here = (object: KubeObject) => async (patch: JsonObject) => applyMergePatch(object, patch) as KubeObject;
      if (given.local) {
        for await (const { object } of readObjects(session, given)) await change(object, here(object));
        return;
      }
      const fieldManager = given["field-manager"] || `kubectl-${verb}`;
      await forEachObject(session, words.resources, given, async (found) => {
        const remotely = (patch: JsonObject) =>
          patchObject(session, found, "merge", patch, { fieldManager, dryRun: dryRun === "server" });
        await change(found.object, dryRun === "client" ? here(found.object) : remotely);
      });
    },
  });
}

function list(session: Session, object: KubeObject, field: string): void {
  const values = valueAt(object, "metadata", field);
  for (const [key, value] of Object.entries(isObject(values) ? values : {})) session.print(`${key}=${textAt(value)}`);
}

function reportMissing(session: Session, before: Json | undefined, removed: readonly string[]): void {
  for (const key of removed) {
    if (!isObject(before) || before[key] === undefined) session.print(`label ${JSON.stringify(key)} not found.`);
  }
}

function checkOverwrite(before: Json | undefined, { set }: SplitWords, overwrite: boolean, verb: string): void {
  if (overwrite || !isObject(before)) return;
  const errors: string[] = [];
  for (const [key, value] of set) {
    const old = before[key];
    if (old === undefined || old === value) continue;
    errors.push(`'${key}' already has a value (${textAt(old)})`);
  }
  if (errors.length === 0) return;
  throw new Refusal(
    verb === "label"
      ? errors.map((one) => `${one}, and --overwrite is false`).join("\n")
      : `--overwrite is false but found the following declared annotation(s): ${errors.join("; ")}`,
  );
}
