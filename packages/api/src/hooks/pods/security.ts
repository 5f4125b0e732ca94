import { isObject, type Json } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import type { Findings } from "../../validation/findings.ts";
import { dnsSubdomain } from "../../validation/names.ts";
import { checkDescending } from "./paths.ts";

const HIGHEST_ID = 2 ** 31 - 1;
const PROFILES = ["Localhost", "RuntimeDefault", "Unconfined"];
const LONGEST_PROFILE = 4095;

export function checkId(found: Findings, field: string, id: Json | undefined): void {
  if (typeof id === "number") found.between(field, id, 0, HIGHEST_ID);
}

function checkSeccomp(found: Findings, at: string, profile: Json | undefined): void {
  if (!isObject(profile)) return;
  const [type, local] = [textAt(profile, "type"), profile["localhostProfile"]];
  if (type === "") found.required(`${at}.type`, "type is required when seccompProfile is set");
  else found.oneOf(`${at}.type`, type, PROFILES);
  const field = `${at}.localhostProfile`;
  if (type === "Localhost") {
    if (typeof local === "string") checkDescending(found, field, local);
    else found.required(field, "must be set when seccomp type is Localhost");
  } else if (typeof local === "string") found.invalid(field, profile, "can only be set when seccomp type is Localhost");
}

function checkAppArmor(found: Findings, at: string, profile: Json | undefined): void {
  if (!isObject(profile)) return;
  const [type, local] = [textAt(profile, "type"), profile["localhostProfile"]];
  const field = `${at}.localhostProfile`;
  const missing = "must be set when AppArmor type is Localhost";
  if (type === "") found.required(`${at}.type`, "type is required when appArmorProfile is set");
  else if (!PROFILES.includes(type)) found.notSupported(`${at}.type`, type, PROFILES);
  else if (type !== "Localhost") {
    if (typeof local === "string") found.invalid(field, local, "can only be set when AppArmor type is Localhost");
  } else if (typeof local !== "string") found.required(field, missing);
  else {
    if (local.trim() !== local) found.invalid(field, local, "must not be padded with whitespace");
    else if (local === "") found.required(field, missing);
    if (local.length > LONGEST_PROFILE) found.tooLong(field, LONGEST_PROFILE);
  }
}

const WINDOWS_SPECIFICATION = 64;

function checkWindowsUser(found: Findings, field: string, name: string): void {
  const wrong = (why: string): void => found.invalid(field, name, why);
  const parts = name.split("\\");
  if (name === "") wrong("runAsUserName cannot be an empty string");
  else if (/\p{Cc}/u.test(name)) wrong("runAsUserName cannot contain control characters");
  else if (parts.length > 2) wrong("runAsUserName cannot contain more than one backslash");
  else {
    const user = parts.at(-1) ?? "";
    const domain = parts.length === 2 ? (parts[0] ?? "") : undefined;
    if (domain !== undefined && domain.length >= 256)
      wrong("runAsUserName's Domain length must be under 256 characters");
    const forms = [
      /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/,
      /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/,
    ];
    if (domain !== undefined && !forms.some((form) => form.test(domain)))
      wrong("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
    if (user === "") wrong("runAsUserName's User cannot be empty");
    else if (user.length > 104) wrong("runAsUserName's User length must not be longer than 104 characters");
    if (/^[. ]+$/.test(user)) wrong("runAsUserName's User cannot contain only periods or spaces");
    if (/["/\\:;|=,+*?<>@[\]]/.test(user))
      wrong("runAsUserName's User cannot contain the following characters: \"/\\:;|=,+*?<>@[]");
  }
}

function checkWindowsOptions(found: Findings, at: string, options: Json | undefined): void {
  if (!isObject(options)) return;
  const [name, specification, user] = ["gmsaCredentialSpecName", "gmsaCredentialSpec", "runAsUserName"].map(
    (field) => options[field],
  );
  if (typeof name === "string") found.name(dnsSubdomain, `${at}.gmsaCredentialSpecName`, name);
  if (typeof specification === "string") {
    const field = `${at}.gmsaCredentialSpec`;
    if (specification === "") found.invalid(field, specification, "gmsaCredentialSpec cannot be an empty string");
    else if (Buffer.byteLength(specification) > WINDOWS_SPECIFICATION * 1024)
      found.invalid(field, specification, `gmsaCredentialSpec size must be under ${WINDOWS_SPECIFICATION} KiB`);
  }
  if (typeof user === "string") checkWindowsUser(found, `${at}.runAsUserName`, user);
}

/** `core/v1.SecurityContext` @param hostUsers whether users in the container are the node's */
export function checkSecurityContext(found: Findings, at: string, own: Json | undefined, hostUsers: boolean): void {
  if (!isObject(own)) return;
  checkId(found, `${at}.runAsUser`, own["runAsUser"]);
  checkId(found, `${at}.runAsGroup`, own["runAsGroup"]);
  const mount = own["procMount"];
  found.oneOf(`${at}.procMount`, mount, ["Default", "Unmasked"]);
  if (hostUsers && mount === "Unmasked")
    found.invalid(`${at}.procMount`, mount, "`hostUsers` must be false to use `Unmasked`");
  checkSeccomp(found, `${at}.seccompProfile`, own["seccompProfile"]);
  if (own["allowPrivilegeEscalation"] === false) {
    const cannot = "cannot set `allowPrivilegeEscalation` to false and";
    if (own["privileged"] === true) found.invalid(at, own, `${cannot} \`privileged\` to true`);
    if (listAt(own, "capabilities", "add").includes("CAP_SYS_ADMIN"))
      found.invalid(at, own, `${cannot} \`capabilities.Add\` CAP_SYS_ADMIN`);
  }
  checkWindowsOptions(found, `${at}.windowsOptions`, own["windowsOptions"]);
  checkAppArmor(found, `${at}.appArmorProfile`, own["appArmorProfile"]);
}

const SYSCTL = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;
const IPC = /^(fs\.mqueue\.|kernel\.(msg|shm|sem))/;

function checkSysctls(found: Findings, at: string, spec: Json | undefined, sysctls: readonly Json[]): void {
  const seen = new Set<string>();
  for (const [index, sysctl] of sysctls.entries()) {
    const field = `${at}[${index}].name`;
    const name = textAt(sysctl, "name");
    const plain = name.replaceAll("/", ".");
    if (name === "") found.required(field);
    else if (name.length > 253 || !SYSCTL.test(name)) {
      const form = "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
      found.invalid(field, name, `must have at most 253 characters and match regex ${form}`);
    } else if (seen.has(name)) found.duplicate(field, name);
    if (valueAt(spec, "hostNetwork") === true && plain.startsWith("net."))
      found.invalid(field, name, "may not be specified when 'hostNetwork' is true");
    else if (valueAt(spec, "hostIPC") === true && IPC.test(plain))
      found.invalid(field, name, "may not be specified when 'hostIPC' is true");
    seen.add(name);
  }
}

/** `core/v1.PodSecurityContext` */
export function checkPodSecurity(found: Findings, at: string, spec: Json | undefined): void {
  const own = valueAt(spec, "securityContext");
  if (valueAt(spec, "shareProcessNamespace") === true && valueAt(spec, "hostPID") === true) {
    const why = "ShareProcessNamespace and HostPID cannot both be enabled";
    found.invalid(`${at}.shareProcessNamespace`, true, why);
  }
  if (!isObject(own)) return;
  for (const field of ["fsGroup", "runAsUser", "runAsGroup"]) checkId(found, `${at}.${field}`, own[field]);
  for (const [index, group] of listAt(own, "supplementalGroups").entries())
    checkId(found, `${at}.supplementalGroups[${index}]`, group);
  checkSysctls(found, `${at}.sysctls`, spec, listAt(own, "sysctls"));
  found.oneOf(`${at}.fsGroupChangePolicy`, own["fsGroupChangePolicy"], ["Always", "OnRootMismatch"]);
  checkSeccomp(found, `${at}.seccompProfile`, own["seccompProfile"]);
  checkWindowsOptions(found, `${at}.windowsOptions`, own["windowsOptions"]);
  checkAppArmor(found, `${at}.appArmorProfile`, own["appArmorProfile"]);
  found.oneOf(`${at}.supplementalGroupsPolicy`, own["supplementalGroupsPolicy"], ["Merge", "Strict"]);
  found.oneOf(`${at}.seLinuxChangePolicy`, own["seLinuxChangePolicy"], ["MountOption", "Recursive"]);
}
