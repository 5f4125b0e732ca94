import { isObject, type Json, type JsonObject } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import type { Findings } from "../../validation/findings.ts";
import { checkDescending } from "./paths.ts";

/** Volumes that can be mounted; undefined of one that is only known to come. */
export type Volumes = ReadonlyMap<string, JsonObject | undefined>;

const PROPAGATIONS = ["Bidirectional", "HostToContainer", "None"];

function checkPropagation(found: Findings, at: string, mount: Json, container: Json): void {
  const propagation = valueAt(mount, "mountPropagation");
  const field = `${at}.mountPropagation`;
  found.oneOf(field, propagation, PROPAGATIONS);
  if (propagation === "Bidirectional" && valueAt(container, "securityContext", "privileged") !== true)
    found.forbidden(field, "Bidirectional mount propagation is available only to privileged containers");
  const recursive = valueAt(mount, "recursiveReadOnly");
  found.oneOf(`${at}.recursiveReadOnly`, recursive, ["Disabled", "Enabled", "IfPossible"]);
  if (recursive !== "Enabled" && recursive !== "IfPossible") return;
  if (valueAt(mount, "readOnly") !== true)
    found.forbidden(`${at}.recursiveReadOnly`, "may only be specified when readOnly is true");
  if (propagation !== undefined && propagation !== "None")
    found.forbidden(`${at}.recursiveReadOnly`, "may only be specified when mountPropagation is None or not specified");
}

/** Where a container's volumes are. Of parts of a mount the list is named, and not the mount, as upstream does. */
export function checkMounts(found: Findings, at: string, container: Json, volumes: Volumes): void {
  const all = `${at}.volumeMounts`;
  const devices = listAt(container, "volumeDevices");
  const paths = new Set<string>();
  for (const [index, mount] of listAt(container, "volumeMounts").entries()) {
    const here = `${all}[${index}]`;
    const [name, path] = [textAt(mount, "name"), textAt(mount, "mountPath")];
    if (name === "") found.required(`${here}.name`);
    if (!volumes.has(name)) found.notFound(`${here}.name`, name);
    if (path === "") found.required(`${here}.mountPath`);
    if (paths.has(path)) found.invalid(`${here}.mountPath`, path, "must be unique");
    paths.add(path);
    if (devices.some((device) => textAt(device, "name") === name))
      found.invalid(`${here}.name`, name, "must not already exist in volumeDevices");
    if (devices.some((device) => textAt(device, "devicePath") === path))
      found.invalid(`${here}.mountPath`, path, "must not already exist as a path in volumeDevices");
    const [part, expression] = [textAt(mount, "subPath"), textAt(mount, "subPathExpr")];
    if (part !== "") checkDescending(found, `${all}.subPath`, part);
    if (expression !== "") {
      if (part !== "")
        found.invalid(`${here}.subPathExpr`, expression, "subPathExpr and subPath are mutually exclusive");
      checkDescending(found, `${all}.subPathExpr`, expression);
    }
    checkPropagation(found, all, mount, container);
  }
}

/** Volumes that a container has as devices. */
export function checkDevices(found: Findings, at: string, container: Json, volumes: Volumes): void {
  const mounts = listAt(container, "volumeMounts");
  const [names, paths] = [new Set<string>(), new Set<string>()];
  for (const [index, device] of listAt(container, "volumeDevices").entries()) {
    const here = `${at}.volumeDevices[${index}]`;
    const [name, path] = [textAt(device, "name"), textAt(device, "devicePath")];
    if (name === "") found.required(`${here}.name`);
    if (names.has(name)) found.invalid(`${here}.name`, name, "must be unique");
    const volume = volumes.get(name);
    const isClaim = isObject(volume?.["persistentVolumeClaim"]) || isObject(volume?.["ephemeral"]);
    if (!volumes.has(name)) found.notFound(`${here}.name`, name);
    else if (volume !== undefined && !isClaim) {
      const why = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
      found.invalid(`${here}.name`, name, why);
    }
    if (path === "") found.required(`${here}.devicePath`);
    if (paths.has(path)) found.invalid(`${here}.devicePath`, path, "must be unique");
    if (path.split("/").includes("..")) found.invalid(`${here}.devicePath`, path, "can not contain backsteps ('..')");
    else paths.add(path);
    if (mounts.some((mount) => textAt(mount, "name") === name))
      found.invalid(`${here}.name`, name, "must not already exist in volumeMounts");
    if (mounts.some((mount) => textAt(mount, "mountPath") === path))
      found.invalid(`${here}.devicePath`, path, "must not already exist as a path in volumeMounts");
    if (name !== "") names.add(name);
  }
}
