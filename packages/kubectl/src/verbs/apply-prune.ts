import { type KubeObject, textAt } from "@boxship/api";
import { LAST_APPLIED } from "../apply-annotation.ts";
import { Refusal } from "../failure.ts";
import { type DryRun, resultPrinter } from "../print/result.ts";
import { deleteObject, listObjects } from "../request/objects.ts";
import type { Mapping } from "../resource/discovery.ts";
import type { Session } from "../session.ts";
import type { ApplyFlags } from "./apply.ts";

/** What is pruned when nothing else is said: group and kind. */
const NAMESPACED = [
  "/ConfigMap",
  "/Endpoints",
  "/PersistentVolumeClaim",
  "/Pod",
  "/ReplicationController",
  "/Secret",
  "/Service",
  "batch/Job",
  "batch/CronJob",
  "networking.k8s.io/Ingress",
  "apps/DaemonSet",
  "apps/Deployment",
  "apps/ReplicaSet",
  "apps/StatefulSet",
];
const CLUSTER = ["/Namespace", "/PersistentVolume"];

/** Deletes what was applied before, is selected, and is not among what is applied now. */
export async function prune(
  session: Session,
  flags: ApplyFlags,
  applied: readonly KubeObject[],
  dryRun: DryRun,
): Promise<void> {
  const kept = new Set(applied.map((object) => textAt(object, "metadata", "uid")));
  const namespaces = new Set(
    applied.map((object) => textAt(object, "metadata", "namespace")).filter((one) => one !== ""),
  );
  const { mappings } = (await session.mapper()).discovery;
  const find = (kinds: readonly string[]): readonly Mapping[] =>
    kinds.flatMap((name) => mappings.find(({ group, kind }) => `${group}/${kind}` === name) ?? []);
  const allowed = flags["prune-allowlist"].map((one) => {
    const [group = "", version = "", kind = ""] = one.split("/");
    const found = mappings.find(
      (m) => m.group === (group === "core" ? "" : group) && m.version === version && m.kind === kind,
    );
    if (found === undefined)
      throw new Refusal(`invalid GroupVersionKind format: ${one}, please follow <group/version/kind>`);
    return found;
  });
  const chosen = allowed.length > 0 ? allowed : [...find(NAMESPACED), ...find(CLUSTER)];
  const print = await resultPrinter(flags, "pruned", dryRun);
  for (const mapping of [...chosen.filter((one) => one.namespaced), ...chosen.filter((one) => !one.namespaced)]) {
    if (
      !mapping.namespaced &&
      allowed.length === 0 &&
      namespaces.size > 0 &&
      !applied.some((one) => one.kind === mapping.kind)
    )
      continue;
    for (const namespace of mapping.namespaced ? namespaces : [""]) {
      for (const object of await listObjects(session, mapping, namespace, { labelSelector: flags.selector })) {
        const isOurs = textAt(object, "metadata", "annotations", LAST_APPLIED) !== "";
        if (!isOurs || kept.has(textAt(object, "metadata", "uid"))) continue;
        const place = { mapping, namespace, name: object.metadata.name ?? "" };
        if (dryRun !== "client") {
          await deleteObject(session, place, { propagationPolicy: "Background", dryRun: dryRun === "server" });
        }
        session.io.stdout.write(print(object));
      }
    }
  }
}
