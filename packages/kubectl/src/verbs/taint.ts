import { applyStrategicMergePatch, type Json, type JsonObject, type KubeObject, listAt, textAt } from "@boxship/api";
import { defineCommand } from "../command.ts";
import { Refusal } from "../failure.ts";
import { bool, str } from "../flags.ts";
import { dryRunFlag, outputFlags, selectorFlag } from "../global-flags.ts";
import { patchSchema } from "../patch/schema-of.ts";
import { parseDryRun, resultPrinter } from "../print/result.ts";
import { patchObject } from "../request/objects.ts";
import { forEachObject } from "./objects-of.ts";

const EFFECTS = new Set(["NoSchedule", "PreferNoSchedule", "NoExecute"]);

interface Taint {
  readonly key: string;
  readonly value: string;
  /** Empty, of one to take away: all. */
  readonly effect: string;
}

export const command = defineCommand({
  usage: "NODE NAME KEY_1=VAL_1:TAINT_EFFECT_1 ... KEY_N=VAL_N:TAINT_EFFECT_N",
  summary: "Update the taints on one or more nodes",
  flags: {
    ...outputFlags,
    ...dryRunFlag,
    ...selectorFlag,
    all: bool(),
    "field-manager": str("kubectl-taint"),
    overwrite: bool(),
    validate: str("strict"),
  },
  async run(session, { flags, operands }) {
    const dryRun = parseDryRun(flags["dry-run"]);
    const isTaint = (word: string): boolean => /[=:]/.test(word) || word.endsWith("-");
    const names = operands.filter((word) => !isTaint(word));
    const words = operands.filter(isTaint);
    if (names.length === 0) throw new Refusal("one or more resources must be specified as <resource> <name>");
    if (words.length === 0) throw new Refusal("at least one taint update is required");
    const added = words.filter((word) => !word.endsWith("-")).map((word) => parseTaint(word));
    const removed = words.filter((word) => word.endsWith("-")).map((word) => parseTaint(word.slice(0, -1), true));
    const print = await resultPrinter(flags, "tainted", dryRun);
    await forEachObject(session, names, flags, async (found) => {
      if (found.mapping.resource !== "nodes")
        throw new Refusal(`invalid resource type ${found.mapping.resource}, only node types are supported`);
      const before = listAt(found.object, "spec", "taints");
      const taints = changed(found.name, before, added, removed, flags.overwrite);
      const replaced = added.some(({ key, effect }) =>
        before.some((one) => textAt(one, "key") === key && textAt(one, "effect") === effect),
      );
      const mixed = replaced || (added.length > 0 && removed.length > 0);
      const operation = mixed ? "modified" : added.length === 0 ? "untainted" : "tainted";
      const patch: JsonObject = { spec: { taints: taints.length === 0 ? null : taints } };
      const options = { dryRun: dryRun === "server", fieldManager: flags["field-manager"] };
      const schema = patchSchema(found.mapping) ?? {};
      const result =
        dryRun === "client"
          ? (applyStrategicMergePatch(schema, found.object, patch) as KubeObject)
          : await patchObject(session, found, "strategic", patch, options);
      session.io.stdout.write(print(result, operation));
    });
  },
});

function parseTaint(word: string, removing = false): Taint {
  const match = /^([^=:]+)(?:=([^:]*))?(?::(.*))?$/.exec(word);
  const [key = "", value = "", effect = ""] = match === null ? [] : [match[1], match[2], match[3]];
  if (key === "" || (effect === "" && !removing)) throw new Refusal(`invalid taint spec: ${word}`);
  if (effect !== "" && !EFFECTS.has(effect))
    throw new Refusal(`invalid taint effect: ${effect}, unsupported taint effect`);
  return { key, value, effect };
}

function changed(
  node: string,
  before: readonly Json[],
  added: readonly Taint[],
  removed: readonly Taint[],
  overwrite: boolean,
): Json[] {
  const isSame = (one: Json, taint: Taint): boolean =>
    textAt(one, "key") === taint.key && (taint.effect === "" || textAt(one, "effect") === taint.effect);
  const double = added.filter((taint) => before.some((one) => isSame(one, taint)));
  if (double.length > 0 && !overwrite) {
    const keys = [...new Set(double.map(({ key }) => key))].join(",");
    throw new Refusal(`node ${node} already has ${keys} taint(s) with same effect(s) and --overwrite is false`);
  }
  for (const taint of removed) {
    if (before.some((one) => isSame(one, taint))) continue;
    throw new Refusal(
      `taint ${JSON.stringify(taint.effect === "" ? taint.key : `${taint.key}:${taint.effect}`)} not found`,
    );
  }
  const kept = before.filter(
    (one) => !added.some((taint) => isSame(one, taint)) && !removed.some((taint) => isSame(one, taint)),
  );
  return [...added.map(({ key, value, effect }): Json => ({ key, ...(value !== "" && { value }), effect })), ...kept];
}
