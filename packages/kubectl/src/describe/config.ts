import {
  formatQuantity,
  isObject,
  type Json,
  type KubeObject,
  listAt,
  parseQuantity,
  textAt,
  valueAt,
} from "@boxship/api";
import { listObjects } from "../request/objects.ts";
import type { Session } from "../session.ts";
import { writeEvents } from "./events.ts";
import { Lines, orNone, yesNo } from "./lines.ts";

export function heading(object: KubeObject, namespaced = true): Lines {
  const lines = new Lines();
  lines.raw(`Name:\t${textAt(object, "metadata", "name")}\n`);
  if (namespaced) lines.raw(`Namespace:\t${textAt(object, "metadata", "namespace")}\n`);
  return lines;
}

export function marks(lines: Lines, object: KubeObject): void {
  lines.labels("Labels", object.metadata.labels);
  lines.annotations("Annotations", object.metadata.annotations);
}

const entries = (value: Json | undefined): readonly [string, Json | undefined][] =>
  Object.entries(isObject(value) ? value : {}).sort(([a], [b]) => (a < b ? -1 : 1));

export async function describeConfigMap(session: Session, object: KubeObject): Promise<string> {
  const lines = heading(object);
  marks(lines, object);
  lines.raw("\nData\n====\n");
  for (const [key, value] of entries(object["data"])) lines.raw(`${key}:\n----\n${textAt(value)}\n\n`);
  lines.raw("\nBinaryData\n====\n");
  for (const [key, value] of entries(object["binaryData"])) {
    lines.raw(`${key}: ${Buffer.from(textAt(value), "base64").length} bytes\n`);
  }
  lines.raw("\n");
  await writeEvents(session, object, lines);
  return lines.text;
}

/** Never what is in it. */
export async function describeSecret(_session: Session, object: KubeObject): Promise<string> {
  const lines = heading(object);
  marks(lines, object);
  const type = textAt(object, "type");
  lines.raw(`\nType:\t${type}\n\nData\n====\n`);
  for (const [key, value] of entries(object["data"])) {
    const bytes = Buffer.from(textAt(value), "base64");
    const isToken = type === "kubernetes.io/service-account-token" && key === "token";
    lines.raw(`${key}:\t${isToken ? bytes.toString() : `${bytes.length} bytes`}\n`);
  }
  return lines.text;
}

export async function describeServiceAccount(session: Session, object: KubeObject): Promise<string> {
  const lines = heading(object);
  marks(lines, object);
  const names = listAt(object, "imagePullSecrets").map((one) => textAt(one, "name"));
  lines.raw(`Image pull secrets:\t${orNone(names.sort().join("\n\t"))}\n`);
  await writeEvents(session, object, lines);
  return lines.text;
}

export async function describePriorityClass(session: Session, object: KubeObject): Promise<string> {
  const lines = heading(object, false);
  lines.raw(`Value:\t${textAt(object, "value")}\nGlobalDefault:\t${textAt(object, "globalDefault") || "false"}\n`);
  lines.raw(
    `PreemptionPolicy:\t${textAt(object, "preemptionPolicy")}\nDescription:\t${textAt(object, "description")}\n`,
  );
  lines.annotations("Annotations", object.metadata.annotations);
  await writeEvents(session, object, lines);
  return lines.text;
}

const SCOPES: Readonly<Record<string, string>> = {
  Terminating:
    "Matches all pods that have an active deadline. These pods have a limited lifespan on a node before being actively terminated by the system.",
  NotTerminating:
    "Matches all pods that do not have an active deadline. These pods usually include long running pods whose container command is not expected to terminate.",
  BestEffort:
    "Matches all pods that do not have resource requirements set. These pods have a best effort quality of service.",
  NotBestEffort:
    "Matches all pods that have at least one resource requirement set. These pods have a burstable or guaranteed quality of service.",
};

function writeHard(lines: Lines, quota: KubeObject, indent: string, rule: string): void {
  lines.raw(`${indent}Resource\tUsed\tHard\n${indent}--------\t${rule}\t${rule}\n`);
  for (const [name, value] of entries(valueAt(quota, "status", "hard"))) {
    lines.raw(`${indent}${name}\t${textAt(quota, "status", "used", name) || "0"}\t${textAt(value)}\n`);
  }
}

const scopesOf = (quota: KubeObject): readonly string[] =>
  listAt(quota, "spec", "scopes")
    .map((one) => textAt(one))
    .sort();

export async function describeQuota(_session: Session, object: KubeObject): Promise<string> {
  const lines = heading(object);
  const scopes = scopesOf(object);
  if (scopes.length > 0) {
    lines.raw(`Scopes:\t${scopes.join(", ")}\n`);
    for (const scope of scopes) if (SCOPES[scope] !== undefined) lines.raw(` * ${SCOPES[scope]}\n`);
  }
  writeHard(lines, object, "", "----");
  return lines.text;
}

function writeLimits(lines: Lines, range: KubeObject, indent: string): void {
  for (const limit of listAt(range, "spec", "limits")) {
    const fields = ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] as const;
    const names = new Set(fields.flatMap((field) => entries(valueAt(limit, field)).map(([name]) => name)));
    const at = (field: string, name: string): string => textAt(limit, field, name) || "-";
    for (const name of [...names].sort()) {
      const cells = ["min", "max", "defaultRequest", "default", "maxLimitRequestRatio"].map((field) => at(field, name));
      lines.raw(`${indent}${textAt(limit, "type")}\t${name}\t${cells.join("\t")}\n`);
    }
  }
}

const LIMITS = "Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio";
const RULE = "----\t--------\t---\t---\t---------------\t-------------\t-----------------------";

export async function describeLimitRange(_session: Session, object: KubeObject): Promise<string> {
  const lines = heading(object);
  lines.raw(`${LIMITS}\n${RULE}\n`);
  writeLimits(lines, object, "");
  return lines.text;
}

export async function describeNamespace(session: Session, object: KubeObject): Promise<string> {
  const lines = heading(object, false);
  marks(lines, object);
  lines.raw(`Status:\t${textAt(object, "status", "phase")}\n`);
  const mapper = await session.mapper();
  const name = object.metadata.name ?? "";
  const conditions = listAt(object, "status", "conditions");
  if (conditions.length > 0) {
    lines.raw(
      "Conditions:\n  Type\tStatus\tLastTransitionTime\tReason\tMessage\n  ----\t------\t------------------\t------\t-------\n",
    );
    for (const one of conditions) {
      lines.raw(
        `  ${["type", "status", "lastTransitionTime", "reason", "message"].map((field) => textAt(one, field)).join("\t")}\n`,
      );
    }
  }
  const quotas = await listObjects(session, mapper.known("", "resourcequotas"), name);
  lines.raw(quotas.length === 0 ? "\nNo resource quota.\n" : "\nResource Quotas\n");
  for (const quota of quotas) {
    const scopes = scopesOf(quota);
    lines.raw(`  Name:\t${quota.metadata.name ?? ""}\n`);
    if (scopes.length > 0) {
      lines.raw(`  Scopes:\t${scopes.join(", ")}\n`);
      for (const scope of scopes) if (SCOPES[scope] !== undefined) lines.raw(`  * ${SCOPES[scope]}\n`);
    }
    writeHard(lines, quota, "  ", "---");
  }
  const ranges = await listObjects(session, mapper.known("", "limitranges"), name);
  lines.raw(ranges.length === 0 ? "\nNo LimitRange resource.\n" : `\nResource Limits\n ${LIMITS}\n ${RULE}\n`);
  for (const range of ranges) writeLimits(lines, range, " ");
  return lines.text;
}

export async function describeBudget(session: Session, object: KubeObject): Promise<string> {
  const { selectorText } = await import("./pod-template.ts");
  const lines = heading(object);
  const [least, most] = ["minAvailable", "maxUnavailable"].map((field) => textAt(object, "spec", field));
  if (least !== "") lines.raw(`Min available:\t${least}\n`);
  else if (most !== "") lines.raw(`Max unavailable:\t${most}\n`);
  lines.raw(
    `Selector:\t${valueAt(object, "spec", "selector") === undefined ? "<unset>" : selectorText(valueAt(object, "spec", "selector"))}\n`,
  );
  const count = (field: string): string => textAt(object, "status", field) || "0";
  lines.raw(
    `Status:\n    Allowed disruptions:\t${count("disruptionsAllowed")}\n    Current:\t${count("currentHealthy")}\n`,
  );
  lines.raw(`    Desired:\t${count("desiredHealthy")}\n    Total:\t${count("expectedPods")}\n`);
  await writeEvents(session, object, lines);
  return lines.text;
}

export async function describeStorageClass(session: Session, object: KubeObject): Promise<string> {
  const lines = heading(object, false);
  const annotations = entries(object.metadata.annotations).map(([key, value]) => `${key}=${textAt(value)}`);
  const isDefault = textAt(object, "metadata", "annotations", "storageclass.kubernetes.io/is-default-class") === "true";
  lines.raw(`IsDefaultClass:\t${isDefault ? "Yes" : "No"}\nAnnotations:\t${orNone(annotations.join(","))}\n`);
  const parameters = entries(object["parameters"]).map(([key, value]) => `${key}=${textAt(value)}`);
  lines.raw(`Provisioner:\t${textAt(object, "provisioner")}\nParameters:\t${orNone(parameters.join(","))}\n`);
  const expansion = valueAt(object, "allowVolumeExpansion");
  lines.raw(`AllowVolumeExpansion:\t${expansion === undefined ? "<unset>" : yesNo(expansion)}\n`);
  const options = listAt(object, "mountOptions").map((one) => textAt(one));
  lines.raw(
    options.length === 0 ? "MountOptions:\t<none>\n" : `MountOptions:\n${options.map((one) => `  ${one}\n`).join("")}`,
  );
  if (textAt(object, "reclaimPolicy") !== "") lines.raw(`ReclaimPolicy:\t${textAt(object, "reclaimPolicy")}\n`);
  if (textAt(object, "volumeBindingMode") !== "")
    lines.raw(`VolumeBindingMode:\t${textAt(object, "volumeBindingMode")}\n`);
  await writeEvents(session, object, lines);
  return lines.text;
}

const MODES: Readonly<Record<string, string>> = {
  ReadWriteOnce: "RWO",
  ReadOnlyMany: "ROX",
  ReadWriteMany: "RWX",
  ReadWriteOncePod: "RWOP",
};
export const modesText = (modes: readonly Json[]): string =>
  modes.map((one) => MODES[textAt(one)] ?? textAt(one)).join(",");

const finalizers = (object: KubeObject): string => `[${(object.metadata.finalizers ?? []).join(" ")}]`;

export async function describeClaim(session: Session, object: KubeObject): Promise<string> {
  const lines = heading(object);
  const at = (...path: string[]): string => textAt(object, ...path);
  const bound = at("spec", "volumeName") !== "";
  const phase =
    at("metadata", "deletionTimestamp") === ""
      ? at("status", "phase")
      : `Terminating (lasts ${at("metadata", "deletionTimestamp")})`;
  lines.raw(
    `StorageClass:\t${at("spec", "storageClassName")}\nStatus:\t${phase}\nVolume:\t${at("spec", "volumeName")}\n`,
  );
  marks(lines, object);
  lines.raw(`Finalizers:\t${finalizers(object)}\n`);
  const capacity = parseQuantity(at("status", "capacity", "storage"));
  lines.raw(`Capacity:\t${bound && capacity !== undefined ? formatQuantity(capacity) : ""}\n`);
  lines.raw(`Access Modes:\t${bound ? modesText(listAt(object, "status", "accessModes")) : ""}\n`);
  if (at("spec", "volumeMode") !== "") lines.raw(`VolumeMode:\t${at("spec", "volumeMode")}\n`);
  const pods = await listObjects(session, (await session.mapper()).known("", "pods"), object.metadata.namespace ?? "");
  const users = pods.filter((pod) =>
    listAt(pod, "spec", "volumes").some(
      (volume) => textAt(volume, "persistentVolumeClaim", "claimName") === object.metadata.name,
    ),
  );
  const names = users.map((pod) => pod.metadata.name ?? "");
  lines.raw(`Used By:\t${orNone(names.join("\n\t"))}\n`);
  await writeEvents(session, object, lines);
  return lines.text;
}

export async function describeVolume(session: Session, object: KubeObject): Promise<string> {
  const { writeVolumeSource } = await import("./volumes.ts");
  const lines = heading(object, false);
  const at = (...path: string[]): string => textAt(object, ...path);
  marks(lines, object);
  lines.raw(
    `Finalizers:\t${finalizers(object)}\nStorageClass:\t${at("spec", "storageClassName")}\nStatus:\t${at("status", "phase")}\n`,
  );
  const claim = valueAt(object, "spec", "claimRef");
  lines.raw(`Claim:\t${claim === undefined ? "" : `${textAt(claim, "namespace")}/${textAt(claim, "name")}`}\n`);
  lines.raw(
    `Reclaim Policy:\t${at("spec", "persistentVolumeReclaimPolicy")}\nAccess Modes:\t${modesText(listAt(object, "spec", "accessModes"))}\n`,
  );
  if (at("spec", "volumeMode") !== "") lines.raw(`VolumeMode:\t${at("spec", "volumeMode")}\n`);
  lines.raw(`Capacity:\t${at("spec", "capacity", "storage")}\n`);
  writeAffinity(lines, listAt(object, "spec", "nodeAffinity", "required", "nodeSelectorTerms"));
  lines.raw(`Message:\t${at("status", "message")}\nSource:\n`);
  const spec = valueAt(object, "spec");
  writeVolumeSource(lines, spec ?? {});
  await writeEvents(session, object, lines);
  return lines.text;
}

function writeAffinity(lines: Lines, terms: readonly Json[]): void {
  if (terms.length === 0) return lines.raw("Node Affinity:\t<none>\n");
  lines.raw("Node Affinity:\t\n  Required Terms:\t\n");
  terms.forEach((term, index) => {
    const texts = listAt(term, "matchExpressions").map((one) => {
      const values = listAt(one, "values").map((value) => textAt(value));
      return `${textAt(one, "key")} ${textAt(one, "operator").toLowerCase()}${values.length === 0 ? "" : ` [${values.join(", ")}]`}`;
    });
    texts.forEach((text, line) => lines.raw(`${line === 0 ? `    Term ${index}:` : "    "}\t${text}\n`));
  });
}
