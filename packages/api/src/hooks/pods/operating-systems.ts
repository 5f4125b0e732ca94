import { isObject, type Json } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import type { Findings } from "../../validation/findings.ts";

interface Placed {
  readonly at: string;
  readonly container: Json;
}

const LISTS = ["initContainers", "containers", "ephemeralContainers"];

const containersOf = (at: string, spec: Json | undefined): readonly Placed[] =>
  LISTS.flatMap((list) => listAt(spec, list).map((container, index) => ({ at: `${at}.${list}[${index}]`, container })));

const isSet = (value: Json | undefined): boolean => value !== undefined && value !== null;

/** Of a Windows pod these cannot be, by where they are said. */
const POD_SECURITY = [
  "appArmorProfile",
  "seLinuxOptions",
  "seccompProfile",
  "fsGroup",
  "fsGroupChangePolicy",
  "sysctls",
  "runAsUser",
  "runAsGroup",
  "supplementalGroups",
  "supplementalGroupsPolicy",
  "seLinuxChangePolicy",
];
const SECURITY = [
  "appArmorProfile",
  "seLinuxOptions",
  "seccompProfile",
  "capabilities",
  "readOnlyRootFilesystem",
  "privileged",
  "allowPrivilegeEscalation",
  "procMount",
  "runAsUser",
  "runAsGroup",
];

function checkWindows(found: Findings, at: string, spec: Json | undefined, containers: readonly Placed[]): void {
  const cannot = (field: string): void => found.forbidden(field, "cannot be set for a windows pod");
  for (const field of ["hostUsers", "shareProcessNamespace"]) if (isSet(valueAt(spec, field))) cannot(`${at}.${field}`);
  for (const field of ["hostPID", "hostIPC"]) if (valueAt(spec, field) === true) cannot(`${at}.${field}`);
  for (const field of POD_SECURITY)
    if (isSet(valueAt(spec, "securityContext", field))) cannot(`${at}.securityContext.${field}`);
  for (const { at: here, container } of containers) {
    for (const field of SECURITY)
      if (isSet(valueAt(container, "securityContext", field))) cannot(`${here}.securityContext.${field}`);
  }
}

function checkLinux(found: Findings, at: string, spec: Json | undefined, containers: readonly Placed[]): void {
  for (const { at: here, container } of [{ at, container: spec ?? null }, ...containers]) {
    if (isObject(valueAt(container, "securityContext", "windowsOptions")))
      found.forbidden(`${here}.securityContext.windowsOptions`, "windows options cannot be set for a linux pod");
  }
}

/** Containers of Windows that are processes of the node: all of a pod's, or none. */
function checkHostProcesses(found: Findings, at: string, spec: Json | undefined, containers: readonly Placed[]): void {
  const path = ["securityContext", "windowsOptions", "hostProcess"] as const;
  const whole = valueAt(spec, ...path);
  let count = 0;
  for (const { at: here, container } of containers) {
    const own = valueAt(container, ...path);
    if (typeof whole === "boolean" && typeof own === "boolean" && whole !== own) {
      const why = `pod hostProcess value must be identical if both are specified, was ${whole}`;
      found.invalid(`${here}.${path.join(".")}`, own, why);
    }
    if ((own ?? whole) === true) count++;
  }
  if (count === 0) return;
  if (count !== containers.length) {
    const why = "If pod contains any hostProcess containers then all containers must be HostProcess containers";
    found.invalid(at, "", why);
  }
  if (valueAt(spec, "hostNetwork") !== true)
    found.invalid(`${at}.hostNetwork`, false, "hostNetwork must be true if pod contains any hostProcess containers");
}

/** Users of its own go with namespaces of its own. */
function checkUsers(found: Findings, at: string, spec: Json | undefined): void {
  if (valueAt(spec, "hostUsers") !== false) return;
  for (const [field, shown] of [
    ["hostNetwork", "hostNetwork"],
    ["hostPID", "HostPID"],
    ["hostIPC", "HostIPC"],
  ] as const)
    if (valueAt(spec, field) === true) found.forbidden(`${at}.${shown}`, "when `hostUsers` is false");
  for (const { at: here, container } of containersOf(at, spec)) {
    if (listAt(container, "volumeDevices").length > 0)
      found.forbidden(`${here}.volumeDevices`, "when `hostUsers` is false");
  }
}

/** What a pod says of the system of its node, and what goes with it. */
export function checkOperatingSystem(found: Findings, at: string, spec: Json | undefined): void {
  const containers = containersOf(at, spec);
  checkHostProcesses(found, at, spec, containers);
  checkUsers(found, at, spec);
  if (!isObject(valueAt(spec, "os"))) return;
  const name = textAt(spec, "os", "name");
  if (name === "") found.required(`${at}.os.name`);
  else if (name === "linux") checkLinux(found, at, spec, containers);
  else if (name === "windows") checkWindows(found, at, spec, containers);
  else found.notSupported(`${at}.os`, name, ["linux", "windows"]);
}
