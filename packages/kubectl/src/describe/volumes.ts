import { isObject, type Json, listAt, textAt, valueAt } from "@boxship/api";
import { type Lines } from "./lines.ts";

type Rows = readonly (readonly [title: string, value: string])[];

const flag = (value: Json | undefined): string => String(value === true);

/** What a volume is, its first row behind `Type:`. */
function rowsOf(volume: Json): Rows | undefined {
  const has = (field: string): Json | undefined => valueAt(volume, field);
  let source: Json | undefined;
  if ((source = has("hostPath")) !== undefined) {
    return [
      ["Type", "HostPath (bare host directory volume)"],
      ["Path", textAt(source, "path")],
      ["HostPathType", textAt(source, "type")],
    ];
  }
  if ((source = has("emptyDir")) !== undefined) {
    const limit = textAt(source, "sizeLimit");
    return [
      ["Type", "EmptyDir (a temporary directory that shares a pod's lifetime)"],
      ["Medium", textAt(source, "medium")],
      ["SizeLimit", limit === "" || limit === "0" ? "<unset>" : limit],
    ];
  }
  if ((source = has("secret")) !== undefined) {
    return [
      ["Type", "Secret (a volume populated by a Secret)"],
      ["SecretName", textAt(source, "secretName")],
      ["Optional", flag(valueAt(source, "optional"))],
    ];
  }
  if ((source = has("configMap")) !== undefined) {
    return [
      ["Type", "ConfigMap (a volume populated by a ConfigMap)"],
      ["Name", textAt(source, "name")],
      ["Optional", flag(valueAt(source, "optional"))],
    ];
  }
  if ((source = has("persistentVolumeClaim")) !== undefined) {
    return [
      ["Type", "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)"],
      ["ClaimName", textAt(source, "claimName")],
      ["ReadOnly", flag(valueAt(source, "readOnly"))],
    ];
  }
  if ((source = has("nfs")) !== undefined) {
    return [
      ["Type", "NFS (an NFS mount that lasts the lifetime of a pod)"],
      ["Server", textAt(source, "server")],
      ["Path", textAt(source, "path")],
      ["ReadOnly", flag(valueAt(source, "readOnly"))],
    ];
  }
  if ((source = has("csi")) !== undefined) {
    return [
      ["Type", "CSI (a Container Storage Interface (CSI) volume source)"],
      ["Driver", textAt(source, "driver")],
      ["FSType", textAt(source, "fsType")],
      ["ReadOnly", flag(valueAt(source, "readOnly"))],
    ];
  }
  if ((source = has("local")) !== undefined) {
    return [
      ["Type", "LocalVolume (a persistent volume backed by local storage on a node)"],
      ["Path", textAt(source, "path")],
    ];
  }
  return undefined;
}

export function writeVolumeSource(lines: Lines, volume: Json, indent = "    "): void {
  const put = (text: string): void => lines.raw(`${indent}${text}\n`);
  const rows = rowsOf(volume);
  if (rows !== undefined) for (const [title, value] of rows) put(`${title}:\t${value}`);
  else if (valueAt(volume, "projected") !== undefined) writeProjected(put, valueAt(volume, "projected") ?? {});
  else if (valueAt(volume, "downwardAPI") !== undefined) {
    put("Type:\tDownwardAPI (a volume populated by information about the pod)");
    put("Items:");
    for (const item of listAt(volume, "downwardAPI", "items")) {
      const field = textAt(item, "fieldRef", "fieldPath") || textAt(item, "resourceFieldRef", "resource");
      put(`  ${field} -> ${textAt(item, "path")}`);
    }
  } else {
    const kind = Object.keys(isObject(volume) ? volume : {}).find((field) => field !== "name");
    put(`Type:\t${kind === undefined ? "<unknown>" : kind}`);
  }
}

function writeProjected(put: (text: string) => void, projected: Json): void {
  put("Type:\tProjected (a volume that contains injected data from multiple sources)");
  for (const source of listAt(projected, "sources")) {
    const [secret, config, token] = ["secret", "configMap", "serviceAccountToken"].map((field) =>
      valueAt(source, field),
    );
    if (secret !== undefined) {
      put(`SecretName:\t${textAt(secret, "name")}`);
      put(`Optional:\t${flag(valueAt(secret, "optional"))}`);
    } else if (valueAt(source, "downwardAPI") !== undefined) put("DownwardAPI:\ttrue");
    else if (config !== undefined) {
      put(`ConfigMapName:\t${textAt(config, "name")}`);
      put(`Optional:\t${flag(valueAt(config, "optional"))}`);
    } else if (token !== undefined) put(`TokenExpirationSeconds:\t${textAt(token, "expirationSeconds")}`);
  }
}

/** @param space of a template: two spaces, and names one further */
export function writeVolumes(lines: Lines, volumes: readonly Json[], space: string): void {
  if (volumes.length === 0) return lines.raw(`${space}Volumes:\t<none>\n`);
  lines.raw(`${space}Volumes:\n`);
  for (const volume of volumes) {
    lines.raw(`${space === "" ? "  " : "   "}${textAt(volume, "name")}:\n`);
    writeVolumeSource(lines, volume);
  }
}
