import { isObject, type JsonObject, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import { listObjects } from "../request/objects.ts";
import type { Session } from "../session.ts";
import { writeEvents } from "./events.ts";
import { Lines, longTime, mapText, orNone, yesNo } from "./lines.ts";
import { selectorText, writeTemplate } from "./pod-template.ts";

type Put = (title: string, value: string) => void;

function begin(object: KubeObject): {
  readonly lines: Lines;
  readonly put: Put;
  readonly at: (...path: string[]) => string;
} {
  const lines = new Lines();
  const put: Put = (title, value) => lines.raw(`${title}:\t${value}\n`);
  const at = (...path: string[]): string => textAt(object, ...path);
  put("Name", at("metadata", "name"));
  put("Namespace", at("metadata", "namespace"));
  return { lines, put, at };
}

function marks(lines: Lines, object: KubeObject): void {
  lines.labels("Labels", valueAt(object, "metadata", "labels"));
  lines.annotations("Annotations", valueAt(object, "metadata", "annotations"));
}

function controlledBy(put: Put, object: KubeObject): void {
  const owner = listAt(object, "metadata", "ownerReferences").find((one) => valueAt(one, "controller") === true);
  if (owner !== undefined) put("Controlled By", `${textAt(owner, "kind")}/${textAt(owner, "name")}`);
}

async function ownedBy(
  session: Session,
  object: KubeObject,
  resource: string,
  group: string,
): Promise<readonly KubeObject[]> {
  const mapping = (await session.mapper()).known(group, resource);
  const labelSelector = mapText(
    valueAt(object, "spec", "selector", "matchLabels") ?? valueAt(object, "spec", "selector"),
  );
  const all = await listObjects(session, mapping, object.metadata.namespace ?? "", { labelSelector });
  return all.filter((one) =>
    listAt(one, "metadata", "ownerReferences").some((owner) => textAt(owner, "uid") === object.metadata.uid),
  );
}

async function podsStatus(session: Session, object: KubeObject): Promise<string> {
  const pods = await ownedBy(session, object, "pods", "");
  const count = (phase: string): number => pods.filter((pod) => textAt(pod, "status", "phase") === phase).length;
  return `${count("Running")} Running / ${count("Pending")} Waiting / ${count("Succeeded")} Succeeded / ${count("Failed")} Failed`;
}

function conditions(lines: Lines, object: KubeObject): void {
  const all = listAt(object, "status", "conditions");
  if (all.length === 0) return;
  lines.raw("Conditions:\n  Type\tStatus\tReason\n  ----\t------\t------\n");
  for (const one of all) lines.raw(`  ${textAt(one, "type")} \t${textAt(one, "status")}\t${textAt(one, "reason")}\n`);
}

export async function describeDeployment(session: Session, object: KubeObject): Promise<string> {
  const { lines, put, at } = begin(object);
  const number = (...path: string[]): string => at(...path) || "0";
  put("CreationTimestamp", longTime(at("metadata", "creationTimestamp")));
  marks(lines, object);
  put("Selector", selectorText(valueAt(object, "spec", "selector")));
  put(
    "Replicas",
    `${number("spec", "replicas")} desired | ${number("status", "updatedReplicas")} updated | ${number("status", "replicas")} total | ${number("status", "availableReplicas")} available | ${number("status", "unavailableReplicas")} unavailable`,
  );
  put("StrategyType", at("spec", "strategy", "type"));
  put("MinReadySeconds", number("spec", "minReadySeconds"));
  const rolling = valueAt(object, "spec", "strategy", "rollingUpdate");
  if (rolling !== undefined)
    put(
      "RollingUpdateStrategy",
      `${textAt(rolling, "maxUnavailable")} max unavailable, ${textAt(rolling, "maxSurge")} max surge`,
    );
  writeTemplate(lines, valueAt(object, "spec", "template"));
  conditions(lines, object);
  const sets = await ownedBy(session, object, "replicasets", "apps");
  if (sets.length > 0) {
    const revision = Math.max(...sets.map((set) => Number(revisionOf(set))));
    const newest = sets.find((set) => Number(revisionOf(set)) === revision);
    const shown = (set: KubeObject): string =>
      `${set.metadata.name ?? ""} (${textAt(set, "status", "replicas") || 0}/${textAt(set, "spec", "replicas") || 0} replicas created)`;
    const old = sets.filter((set) => set !== newest);
    put("OldReplicaSets", orNone(old.map(shown).join(", ")));
    put("NewReplicaSet", newest === undefined ? "<none>" : shown(newest));
  }
  await writeEvents(session, object, lines);
  return lines.text;
}

const revisionOf = (set: KubeObject): string =>
  textAt(set, "metadata", "annotations", "deployment.kubernetes.io/revision");

export async function describeReplicaSet(session: Session, object: KubeObject): Promise<string> {
  const { lines, put, at } = begin(object);
  const selector = valueAt(object, "spec", "selector");
  put("Selector", object.kind === "ReplicaSet" ? selectorText(selector) : mapText(selector));
  marks(lines, object);
  controlledBy(put, object);
  put("Replicas", `${at("status", "replicas") || 0} current / ${at("spec", "replicas") || 0} desired`);
  put("Pods Status", await podsStatus(session, object));
  writeTemplate(lines, valueAt(object, "spec", "template"));
  conditions(lines, object);
  await writeEvents(session, object, lines);
  return lines.text;
}

export async function describeStatefulSet(session: Session, object: KubeObject): Promise<string> {
  const { lines, put, at } = begin(object);
  put("CreationTimestamp", longTime(at("metadata", "creationTimestamp")));
  put("Selector", selectorText(valueAt(object, "spec", "selector")));
  marks(lines, object);
  put("Replicas", `${at("spec", "replicas") || 0} desired | ${at("status", "replicas") || 0} total`);
  put("Update Strategy", at("spec", "updateStrategy", "type"));
  const rolling = valueAt(object, "spec", "updateStrategy", "rollingUpdate");
  if (rolling !== undefined) {
    lines.raw(`  Partition:\t${textAt(rolling, "partition") || 0}\n`);
    if (textAt(rolling, "maxUnavailable") !== "")
      lines.raw(`  MaxUnavailable:\t${textAt(rolling, "maxUnavailable")}\n`);
  }
  put("Pods Status", await podsStatus(session, object));
  writeTemplate(lines, valueAt(object, "spec", "template"));
  const claims = listAt(object, "spec", "volumeClaimTemplates");
  lines.raw(`Volume Claims:${claims.length === 0 ? "\t<none>" : ""}\n`);
  for (const claim of claims) {
    lines.raw(
      `  Name:\t${textAt(claim, "metadata", "name")}\n  StorageClass:\t${textAt(claim, "spec", "storageClassName")}\n`,
    );
    lines.labels("  Labels", valueAt(claim, "metadata", "labels"), "", "\t");
    lines.annotations("  Annotations", valueAt(claim, "metadata", "annotations"));
    lines.raw(`  Capacity:\t${textAt(claim, "spec", "resources", "requests", "storage") || "<default>"}\n`);
    lines.raw(
      `  Access Modes:\t[${listAt(claim, "spec", "accessModes")
        .map((one) => textAt(one))
        .join(" ")}]\n`,
    );
  }
  await writeEvents(session, object, lines);
  return lines.text;
}

export async function describeDaemonSet(session: Session, object: KubeObject): Promise<string> {
  const { lines, put, at } = begin(object);
  put("Selector", selectorText(valueAt(object, "spec", "selector")));
  put("Node-Selector", orNone(mapText(valueAt(object, "spec", "template", "spec", "nodeSelector"))));
  marks(lines, object);
  const counts = [
    ["Desired Number of Nodes Scheduled", "desiredNumberScheduled"],
    ["Current Number of Nodes Scheduled", "currentNumberScheduled"],
    ["Number of Nodes Scheduled with Up-to-date Pods", "updatedNumberScheduled"],
    ["Number of Nodes Scheduled with Available Pods", "numberAvailable"],
    ["Number of Nodes Misscheduled", "numberMisscheduled"],
  ] as const;
  for (const [title, field] of counts) lines.raw(`${title}: ${at("status", field) || 0}\n`);
  put("Pods Status", await podsStatus(session, object));
  writeTemplate(lines, valueAt(object, "spec", "template"));
  await writeEvents(session, object, lines);
  return lines.text;
}

export async function describeJob(session: Session, object: KubeObject): Promise<string> {
  const { lines, put, at } = begin(object);
  put("Selector", selectorText(valueAt(object, "spec", "selector")));
  marks(lines, object);
  controlledBy(put, object);
  put("Parallelism", at("spec", "parallelism") || "<unset>");
  put("Completions", at("spec", "completions") || "<unset>");
  if (at("spec", "completionMode") !== "") put("Completion Mode", at("spec", "completionMode"));
  if (at("spec", "suspend") !== "") put("Suspend", at("spec", "suspend"));
  if (at("spec", "backoffLimit") !== "") put("Backoff Limit", at("spec", "backoffLimit"));
  if (at("spec", "ttlSecondsAfterFinished") !== "")
    put("TTL Seconds After Finished", at("spec", "ttlSecondsAfterFinished"));
  const [started, ended] = [at("status", "startTime"), at("status", "completionTime")];
  if (started !== "") put("Start Time", longTime(started));
  if (ended !== "") put("Completed At", longTime(ended));
  if (started !== "" && ended !== "")
    put("Duration", `${Math.round((Date.parse(ended) - Date.parse(started)) / 1000)}s`);
  if (at("spec", "activeDeadlineSeconds") !== "")
    put("Active Deadline Seconds", `${at("spec", "activeDeadlineSeconds")}s`);
  const count = (field: string): string => at("status", field) || "0";
  const ready = at("status", "ready");
  put(
    "Pods Statuses",
    `${count("active")} Active${ready === "" ? "" : ` (${ready} Ready)`} / ${count("succeeded")} Succeeded / ${count("failed")} Failed`,
  );
  if (at("spec", "completionMode") === "Indexed") put("Completed Indexes", orNone(at("status", "completedIndexes")));
  writeTemplate(lines, valueAt(object, "spec", "template"));
  await writeEvents(session, object, lines);
  return lines.text;
}

export async function describeCronJob(session: Session, object: KubeObject): Promise<string> {
  const { lines, put, at } = begin(object);
  marks(lines, object);
  put("Schedule", at("spec", "schedule"));
  put("Concurrency Policy", at("spec", "concurrencyPolicy"));
  put("Suspend", yesNo(valueAt(object, "spec", "suspend")));
  put("Time Zone", at("spec", "timeZone") || "<unset>");
  put("Successful Job History Limit", at("spec", "successfulJobsHistoryLimit") || "<unset>");
  put("Failed Job History Limit", at("spec", "failedJobsHistoryLimit") || "<unset>");
  const deadline = at("spec", "startingDeadlineSeconds");
  put("Starting Deadline Seconds", deadline === "" ? "<unset>" : `${deadline}s`);
  const job: JsonObject = asObject(valueAt(object, "spec", "jobTemplate", "spec"));
  put("Selector", job["selector"] === undefined ? "<unset>" : selectorText(job["selector"]));
  put("Parallelism", textAt(job, "parallelism") || "<unset>");
  put("Completions", textAt(job, "completions") || "<unset>");
  if (textAt(job, "activeDeadlineSeconds") !== "")
    put("Active Deadline Seconds", `${textAt(job, "activeDeadlineSeconds")}s`);
  writeTemplate(lines, job["template"]);
  put(
    "Last Schedule Time",
    at("status", "lastScheduleTime") === "" ? "<unset>" : longTime(at("status", "lastScheduleTime")),
  );
  put(
    "Active Jobs",
    orNone(
      listAt(object, "status", "active")
        .map((one) => textAt(one, "name"))
        .join(", "),
    ),
  );
  await writeEvents(session, object, lines);
  return lines.text;
}

const asObject = (value: unknown): JsonObject => (isObject(value) ? value : {});
