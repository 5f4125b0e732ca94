import { type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import { defineCommand, type Invocation } from "../command.ts";
import { statusAt } from "../error-text.ts";
import { PlainRefusal, Refusal } from "../failure.ts";
import { bool, duration, int, str } from "../flags.ts";
import { dryRunFlag, selectorFlag } from "../global-flags.ts";
import { dryRunSuffix, parseDryRun } from "../print/result.ts";
import { deleteObject, findObject, listObjects, type ObjectPlace } from "../request/objects.ts";
import { objectPathOf } from "../resource/discovery.ts";
import type { Session } from "../session.ts";
import { nodeWords, setSchedulable } from "./cordon.ts";
import { forEachObject } from "./objects-of.ts";
import { waitForOne } from "./wait-gone.ts";

const flags = {
  ...dryRunFlag,
  ...selectorFlag,
  "chunk-size": int(500),
  "delete-emptydir-data": bool(),
  "disable-eviction": bool(),
  force: bool(),
  "grace-period": int(-1),
  "ignore-daemonsets": bool(),
  "pod-selector": str(),
  "skip-wait-for-delete-timeout": int(),
  timeout: duration(),
};

type Flags = Invocation<typeof flags>["flags"];

export const command = defineCommand({
  usage: "NODE",
  summary: "Drain node in preparation for maintenance",
  flags,
  async run(session, { flags: given, operands, path }) {
    const dryRun = parseDryRun(given["dry-run"]);
    if (operands.length === 0 && given.selector === "") {
      throw new Refusal(`USAGE: drain NODE [flags]\nSee '${path} -h' for help and examples`);
    }
    if (given["skip-wait-for-delete-timeout"] !== 0)
      throw new Refusal("--skip-wait-for-delete-timeout is not supported");
    await forEachObject(session, nodeWords(operands), given, async (found) => {
      await setSchedulable(session, found, false, dryRun);
      try {
        const pods = await podsToGo(session, found.name, given);
        for (const pod of pods) {
          if (dryRun === "client") session.print(`evicting pod ${pod.namespace}/${pod.name}${dryRunSuffix(dryRun)}`);
          else await evict(session, pod, given, dryRun === "server");
        }
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        throw new PlainRefusal(
          `error: unable to drain node ${JSON.stringify(found.name)} due to error: ${error.message}, continuing command...\nThere are pending nodes to be drained:\n ${found.name}\n${error.message}`,
        );
      }
      session.print(`node/${found.name} drained${dryRunSuffix(dryRun)}`);
    });
  },
});

const ownerOf = (pod: KubeObject) =>
  listAt(pod, "metadata", "ownerReferences").find((one) => valueAt(one, "controller") === true);

/** Pods of a node that must go. @throws Refusal naming those that nobody has allowed to go */
async function podsToGo(session: Session, node: string, given: Flags): Promise<readonly ObjectPlace[]> {
  const mapping = (await session.mapper()).known("", "pods");
  const query = {
    fieldSelector: `spec.nodeName=${node}`,
    labelSelector: given["pod-selector"],
    chunk: given["chunk-size"],
  };
  const going: ObjectPlace[] = [];
  const refused = new Map<string, string[]>();
  const warned = new Map<string, string[]>();
  const note = (map: Map<string, string[]>, why: string, name: string) =>
    void map.set(why, [...(map.get(why) ?? []), name]);
  for (const pod of await listObjects(session, mapping, "", query)) {
    const { name = "", namespace = "", annotations = {} } = pod.metadata;
    if (annotations["kubernetes.io/config.mirror"] !== undefined) continue;
    const full = `${namespace}/${name}`;
    const finished = ["Succeeded", "Failed"].includes(textAt(pod, "status", "phase"));
    const owner = ownerOf(pod);
    if (textAt(owner, "kind") === "DaemonSet" && !finished) {
      if (given["ignore-daemonsets"]) note(warned, "ignoring DaemonSet-managed Pods", full);
      else note(refused, "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)", full);
      continue;
    }
    const hasData = listAt(pod, "spec", "volumes").some((volume) => valueAt(volume, "emptyDir") !== undefined);
    if (hasData && !finished && !given["delete-emptydir-data"]) {
      note(refused, "cannot delete Pods with local storage (use --delete-emptydir-data to override)", full);
      continue;
    }
    if (owner === undefined && !finished) {
      if (!given.force) {
        note(refused, "cannot delete Pods that declare no controller (use --force to override)", full);
        continue;
      }
      note(warned, "deleting Pods that declare no controller", full);
    }
    going.push({ mapping, namespace, name });
  }
  const texts = (map: Map<string, string[]>): readonly string[] =>
    [...map].map(([why, names]) => `${why}: ${names.join(", ")}`);
  if (refused.size > 0)
    throw new Refusal(refused.size === 1 ? (texts(refused)[0] ?? "") : `[${texts(refused).join(", ")}]`);
  if (warned.size > 0) session.warn(`Warning: ${texts(warned).join("; ")}`);
  return going;
}

/** By eviction, which minds disruption budgets, and waits until it is gone. */
async function evict(session: Session, place: ObjectPlace, given: Flags, dryRun: boolean): Promise<void> {
  const { mapping, namespace, name } = place;
  const late = given.timeout > 0 ? AbortSignal.timeout(given.timeout) : undefined;
  const before = await findObject(session, place);
  if (before === undefined) return;
  const grace = given["grace-period"];
  const deleteOptions = grace >= 0 ? { deleteOptions: { gracePeriodSeconds: grace } } : {};
  if (!given["disable-eviction"])
    session.print(`evicting pod ${namespace}/${name}${dryRunSuffix(dryRun ? "server" : "none")}`);
  for (;;) {
    try {
      if (given["disable-eviction"])
        await deleteObject(session, place, { dryRun, ...(grace >= 0 && { gracePeriodSeconds: grace }) });
      else {
        const body = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace }, ...deleteOptions };
        const query = { dryRun: dryRun ? "All" : undefined };
        await (await session.api()).call("POST", objectPathOf(mapping, namespace, name, "eviction"), { body, query });
      }
      break;
    } catch (error) {
      const reason = statusAt(error)?.reason;
      if (reason === "NotFound") break;
      if (reason !== "TooManyRequests") throw error;
      session.warn(
        `error when evicting pods/${JSON.stringify(name)} -n ${JSON.stringify(namespace)} (will retry after 5s): ${statusAt(error)?.message ?? ""}`,
      );
      if (late?.aborted) throw new Refusal("global timeout reached: the pods could not be evicted in time");
      await new Promise((done) => setTimeout(done, 5000));
    }
  }
  if (dryRun) return;
  const uid = before.metadata.uid ?? "";
  if (!(await waitForOne(session, { ...place, uid }, late)))
    throw new Refusal(`error when waiting for pod ${JSON.stringify(name)} terminating: global timeout reached`);
  session.print(`pod/${name} ${given["disable-eviction"] ? "deleted" : "evicted"}`);
}
