import { type JsonObject, type KubeObject, valueAt } from "@boxship/api";
import { type Command, defineCommand } from "../../command.ts";
import { Refusal } from "../../failure.ts";
import { str } from "../../flags.ts";
import { fileFlags, outputFlags, selectorFlag } from "../../global-flags.ts";
import { resultPrinter } from "../../print/result.ts";
import { patchObject } from "../../request/objects.ts";
import { qualifiedResource } from "../../resource/discovery.ts";
import { type Found, forEachObject } from "../objects-of.ts";
import { atPods } from "../pod-template.ts";

const flags = { ...fileFlags, ...outputFlags, ...selectorFlag, "field-manager": str("kubectl-rollout") };

interface Change {
  readonly summary: string;
  /** What is said when it is done. */
  readonly done: string;
  /** @throws Refusal for what cannot be changed so */
  patch(found: Found): JsonObject;
}

function changeCommand({ summary, done, ...change }: Change): Command {
  return defineCommand({
    usage: "RESOURCE",
    summary,
    flags,
    async run(session, { flags: given, operands }) {
      if (operands.length === 0 && given.filename.length === 0) throw new Refusal("required resource not specified");
      const print = await resultPrinter(given, done, "none");
      await forEachObject(session, operands, given, async (found) => {
        const options = { fieldManager: given["field-manager"] };
        session.io.stdout.write(print(await patchObject(session, found, "strategic", change.patch(found), options)));
      });
    },
  });
}

const named = ({ mapping, name }: Found): string => `${qualifiedResource(mapping)} ${JSON.stringify(name)}`;
const isPaused = (object: KubeObject): boolean => valueAt(object, "spec", "paused") === true;

export const pause = changeCommand({
  summary: "Mark the provided resource as paused",
  done: "paused",
  patch(found) {
    if (found.object.kind !== "Deployment") throw new Refusal(`${named(found)} pausing is not supported`);
    if (isPaused(found.object)) throw new Refusal(`${named(found)} is already paused`);
    return { spec: { paused: true } };
  },
});

export const resume = changeCommand({
  summary: "Resume a paused resource",
  done: "resumed",
  patch(found) {
    if (found.object.kind !== "Deployment") throw new Refusal(`${named(found)} resuming is not supported`);
    if (!isPaused(found.object)) throw new Refusal(`${named(found)} is not paused`);
    return { spec: { paused: null } };
  },
});

export const restart = changeCommand({
  summary: "Restart a resource",
  done: "restarted",
  patch(found) {
    const { object } = found;
    if (!["DaemonSet", "Deployment", "StatefulSet"].includes(object.kind))
      throw new Refusal(`${named(found)} restarting is not supported`);
    if (isPaused(object))
      throw new Refusal(`${named(found)} can't restart paused deployment (run rollout resume first)`);
    const restartedAt = `${new Date().toISOString().slice(0, 19)}Z`;
    return atPods(object.kind, { metadata: { annotations: { "kubectl.kubernetes.io/restartedAt": restartedAt } } });
  },
});
