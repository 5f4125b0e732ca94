import { type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import { defineCommand } from "../../command.ts";
import { forEach, PlainRefusal, Refusal } from "../../failure.ts";
import { bool, duration, int } from "../../flags.ts";
import { fileFlags, selectorFlag } from "../../global-flags.ts";
import { getObject, type ObjectPlace } from "../../request/objects.ts";
import { collectionPathOf } from "../../resource/discovery.ts";
import { readManifests } from "../../resource/manifests.ts";
import { resolveTargets } from "../../resource/targets.ts";

export const command = defineCommand({
  usage: "(TYPE NAME | TYPE/NAME) [flags]",
  summary: "Show the status of the rollout",
  flags: { ...fileFlags, ...selectorFlag, revision: int(), timeout: duration(), watch: bool(true, { short: "w" }) },
  async run(session, { flags, operands }) {
    if (operands.length === 0 && flags.filename.length === 0) throw new Refusal("required resource not specified");
    const places: readonly ObjectPlace[] =
      flags.filename.length > 0
        ? await readManifests(session, flags)
        : await resolveTargets(session, operands, { selected: flags.selector !== "" });
    const late = flags.timeout > 0 ? AbortSignal.timeout(flags.timeout) : undefined;
    await forEach(places, async (place) => {
      const { mapping, namespace, name } = place;
      if (!["DaemonSet", "Deployment", "StatefulSet"].includes(mapping.kind)) {
        throw new Refusal(`no status viewer has been implemented for ${mapping.kind}`);
      }
      const api = await session.api();
      let object = await getObject(session, place);
      for (;;) {
        const { text, done } = rolloutStatus(object, flags.revision);
        session.io.stdout.write(text);
        if (done || !flags.watch) return;
        const query = {
          fieldSelector: `metadata.name=${name}`,
          resourceVersion: textAt(object, "metadata", "resourceVersion"),
        };
        let next: KubeObject | undefined;
        try {
          for await (const event of api.watch(collectionPathOf(mapping, namespace), {
            query,
            signal: late ?? session.io.signal,
          })) {
            if (event.type === "DELETED") throw new Refusal("object has been deleted");
            if (event.type === "MODIFIED") {
              next = event.object as KubeObject;
              break;
            }
          }
        } catch (error) {
          if (!late?.aborted) throw error;
        }
        if (late?.aborted) throw new PlainRefusal("error: timed out waiting for the condition");
        object = next ?? (await getObject(session, place));
      }
    });
  },
});

interface Status {
  readonly text: string;
  readonly done: boolean;
}

const waiting = (text: string): Status => ({ text: `${text}\n`, done: false });
const finished = (text: string): Status => ({ text: `${text}\n`, done: true });

function rolloutStatus(object: KubeObject, revision: number): Status {
  const number = (...path: string[]): number => Number(valueAt(object, ...path) ?? 0);
  const name = JSON.stringify(object.metadata.name);
  const observed = number("status", "observedGeneration") >= number("metadata", "generation");
  const [updated, available] = [
    number("status", object.kind === "DaemonSet" ? "updatedNumberScheduled" : "updatedReplicas"),
    number("status", "availableReplicas"),
  ];
  const wanted = number("spec", "replicas");
  switch (object.kind) {
    case "Deployment": {
      const has = textAt(object, "metadata", "annotations", "deployment.kubernetes.io/revision");
      if (revision > 0 && Number(has) !== revision) {
        throw new Refusal(`desired revision (${revision}) is different from the running revision (${has || 0})`);
      }
      if (!observed) return waiting("Waiting for deployment spec update to be observed...");
      const stuck = listAt(object, "status", "conditions").some(
        (one) => textAt(one, "reason") === "ProgressDeadlineExceeded",
      );
      if (stuck) throw new Refusal(`deployment ${name} exceeded its progress deadline`);
      const rollout = `Waiting for deployment ${name} rollout to finish:`;
      if (updated < wanted) return waiting(`${rollout} ${updated} out of ${wanted} new replicas have been updated...`);
      const old = number("status", "replicas") - updated;
      if (old > 0) return waiting(`${rollout} ${old} old replicas are pending termination...`);
      if (available < updated)
        return waiting(`${rollout} ${available} of ${updated} updated replicas are available...`);
      return finished(`deployment ${name} successfully rolled out`);
    }
    case "DaemonSet": {
      if (textAt(object, "spec", "updateStrategy", "type") !== "RollingUpdate") {
        throw new Refusal("rollout status is only available for RollingUpdate strategy type");
      }
      if (!observed) return waiting("Waiting for daemon set spec update to be observed...");
      const desired = number("status", "desiredNumberScheduled");
      const there = number("status", "numberAvailable");
      const rollout = `Waiting for daemon set ${name} rollout to finish:`;
      if (updated < desired) return waiting(`${rollout} ${updated} out of ${desired} new pods have been updated...`);
      if (there < desired) return waiting(`${rollout} ${there} of ${desired} updated pods are available...`);
      return finished(`daemon set ${name} successfully rolled out`);
    }
    default: {
      if (textAt(object, "spec", "updateStrategy", "type") !== "RollingUpdate") {
        throw new Refusal("rollout status is only available for RollingUpdate strategy type");
      }
      if (number("status", "observedGeneration") === 0 || !observed)
        return waiting("Waiting for statefulset spec update to be observed...");
      const ready = number("status", "readyReplicas");
      if (ready < wanted) return waiting(`Waiting for ${wanted - ready} pods to be ready...`);
      const partition = number("spec", "updateStrategy", "rollingUpdate", "partition");
      if (partition > 0) {
        if (updated < wanted - partition) {
          return waiting(
            `Waiting for partitioned roll out to finish: ${updated} out of ${wanted - partition} new pods have been updated...`,
          );
        }
        return finished(`partitioned roll out complete: ${updated} new pods have been updated...`);
      }
      const [now, next] = [textAt(object, "status", "currentRevision"), textAt(object, "status", "updateRevision")];
      if (now !== next)
        return waiting(`waiting for statefulset rolling update to complete ${updated} pods at revision ${next}...`);
      return finished(
        `statefulset rolling update complete ${number("status", "currentReplicas")} pods at revision ${now}...`,
      );
    }
  }
}
