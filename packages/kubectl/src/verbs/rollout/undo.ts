import { deepEqual, isObject, type JsonObject, textAt, valueAt } from "@boxship/api";
import { LAST_APPLIED } from "../../apply-annotation.ts";
import { defineCommand } from "../../command.ts";
import { describeTemplate } from "../../describe/pod-template.ts";
import { Refusal } from "../../failure.ts";
import { int } from "../../flags.ts";
import { dryRunFlag, fileFlags, outputFlags, selectorFlag } from "../../global-flags.ts";
import { type DryRun, parseDryRun, resultPrinter } from "../../print/result.ts";
import { patchObject } from "../../request/objects.ts";
import type { Session } from "../../session.ts";
import { type Found, forEachObject } from "../objects-of.ts";
import { CHANGE_CAUSE, REVISION, type Revision, revisionsOf } from "./revisions.ts";

export const command = defineCommand({
  usage: "(TYPE NAME | TYPE/NAME) [flags]",
  summary: "Undo a previous rollout",
  flags: { ...fileFlags, ...outputFlags, ...dryRunFlag, ...selectorFlag, "to-revision": int() },
  async run(session, { flags, operands }) {
    if (operands.length === 0 && flags.filename.length === 0) throw new Refusal("required resource not specified");
    const dryRun = parseDryRun(flags["dry-run"]);
    const print = await resultPrinter(flags, "rolled back", dryRun);
    await forEachObject(session, operands, flags, async (found) => {
      const done = await undo(session, found, flags["to-revision"], dryRun);
      session.io.stdout.write(print(found.object, done));
    });
  },
});

/** @returns what was done */
async function undo(session: Session, found: Found, number: number, dryRun: DryRun): Promise<string> {
  const { object, name, mapping } = found;
  if (textAt(object, "metadata", "annotations", LAST_APPLIED) !== "") {
    session.warn(
      `Warning: resource ${mapping.resource}/${name} was previously managed with 'kubectl apply'. Rolling back will not update the ${LAST_APPLIED} annotation, which may cause unexpected behavior on future 'kubectl apply' operations. Consider using 'kubectl apply' with your previous configuration file instead.`,
    );
  }
  if (valueAt(object, "spec", "paused") === true) {
    throw new Refusal(
      "you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again",
    );
  }
  const revisions = await revisionsOf(session, found, object);
  const target = chosen(revisions, number, object.kind, name);
  const current = withoutHash(valueAt(object, "spec", "template"));
  const wanted = withoutHash(target.template);
  if (deepEqual(current, wanted))
    return `skipped rollback (current template already matches revision ${target.number})`;
  if (dryRun === "client") return describeTemplate(target.template);
  const options = { dryRun: dryRun === "server" };
  if (target.patch !== undefined) {
    await patchObject(session, found, "strategic", target.patch, options);
    return "rolled back";
  }
  const annotations: JsonObject = {};
  const kept = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
  ];
  const all = (value: unknown): JsonObject => (isObject(value) ? value : {});
  for (const [key, value] of Object.entries(all(valueAt(object, "metadata", "annotations"))))
    if (kept.includes(key) && key !== CHANGE_CAUSE) annotations[key] = value;
  for (const [key, value] of Object.entries(all(valueAt(target.object, "metadata", "annotations"))))
    if (!kept.includes(key)) annotations[key] = value;
  const patch = [
    { op: "replace", path: "/spec/template", value: wanted },
    { op: "replace", path: "/metadata/annotations", value: annotations },
  ];
  await patchObject(session, found, "json", patch, options);
  return "rolled back";
}

function chosen(revisions: readonly Revision[], number: number, kind: string, name: string): Revision {
  if (number > 0) {
    const found = revisions.find((one) => one.number === number);
    if (found === undefined) throw new Refusal(`unable to find specified revision ${number} in history`);
    return found;
  }
  const before = revisions.at(-2);
  if (before === undefined) {
    throw new Refusal(
      kind === "Deployment"
        ? `no rollout history found for deployment ${JSON.stringify(name)}`
        : "no last revision to roll back to",
    );
  }
  return before;
}

function withoutHash(template: unknown): JsonObject {
  if (!isObject(template)) return {};
  const metadata = isObject(template["metadata"]) ? template["metadata"] : {};
  const labels = isObject(metadata["labels"]) ? { ...metadata["labels"] } : {};
  delete labels["pod-template-hash"];
  return { ...template, metadata: { ...metadata, labels } };
}
