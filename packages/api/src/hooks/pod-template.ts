import { isObject, type Json, type JsonObject, setField } from "../object/json.ts";
import { listAt, textAt, valueAt } from "../object/kube-object.ts";
import {
  duplicate,
  type FieldError,
  forbiddenField,
  invalid,
  notFoundField,
  notSupported,
  required,
} from "../status/field-error.ts";
import { checkName, dnsLabel, dnsSubdomain, qualifiedName } from "../validation/names.ts";

/** Defaults of a pod that a template has none of: a template stays as it was written. */
export function defaultPod(spec: Json | undefined): void {
  defaultPodSpec(spec);
  if (!isObject(spec)) return;
  spec["enableServiceLinks"] ??= true;
  for (const container of [...listAt(spec, "initContainers"), ...listAt(spec, "containers")]) {
    if (!isObject(container)) continue;
    defaultRequests(container);
    if (spec["hostNetwork"] !== true) continue;
    for (const port of listAt(container, "ports")) if (isObject(port)) port["hostPort"] ??= port["containerPort"] ?? 0;
  }
}

/** Defaults of a pod's spec that depend on other fields. */
export function defaultPodSpec(spec: Json | undefined): void {
  if (!isObject(spec)) return;
  for (const container of allContainers(spec)) {
    if (!isObject(container)) continue;
    container["imagePullPolicy"] ??= pullPolicy(textAt(container, "image"));
  }
  const account = textAt(spec, "serviceAccountName") || textAt(spec, "serviceAccount");
  if (account !== "") {
    spec["serviceAccountName"] = account;
    spec["serviceAccount"] = account;
  }
  for (const volume of listAt(spec, "volumes")) {
    // A volume of no kind is an empty directory.
    if (isObject(volume) && Object.keys(volume).length === 1) volume["emptyDir"] = {};
  }
}

function allContainers(spec: JsonObject): readonly Json[] {
  return [...listAt(spec, "initContainers"), ...listAt(spec, "containers"), ...listAt(spec, "ephemeralContainers")];
}

/** `Always` for the tag latest and for none. */
function pullPolicy(image: string): string {
  if (image.includes("@")) return "IfNotPresent";
  const tag = /:(?<tag>[^:/]+)$/.exec(image)?.groups?.["tag"] ?? "latest";
  return tag === "latest" ? "Always" : "IfNotPresent";
}

function defaultRequests(container: JsonObject): void {
  const limits = valueAt(container, "resources", "limits");
  if (!isObject(limits)) return;
  const resources = container["resources"] as JsonObject;
  const requests = isObject(resources["requests"]) ? resources["requests"] : {};
  for (const [name, value] of Object.entries(limits))
    if (!Object.hasOwn(requests, name)) setField(requests, name, value ?? null);
  resources["requests"] = requests;
}

const RESTART_POLICIES = ["Always", "OnFailure", "Never"];
const DNS_POLICIES = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
const PULL_POLICIES = ["Always", "IfNotPresent", "Never"];
const PROTOCOLS = ["SCTP", "TCP", "UDP"];

/**
 * What is wrong with a pod's spec.
 *
 * @param path e.g. `spec.template.spec`
 * @param later volumes that its pods get besides
 */
export function validatePodSpec(
  spec: Json | undefined,
  path: string,
  later: readonly string[] = [],
): readonly FieldError[] {
  const errors: FieldError[] = [];
  const volumes = new Set<string>();
  for (const [index, volume] of listAt(spec, "volumes").entries()) {
    const at = `${path}.volumes[${index}]`;
    const name = textAt(volume, "name");
    if (name === "") errors.push(required(`${at}.name`));
    errors.push(...(name === "" ? [] : checkName(dnsLabel, `${at}.name`, name)));
    if (volumes.has(name)) errors.push(duplicate(`${at}.name`, name));
    volumes.add(name);
  }
  const known = new Set([...volumes, ...later]);
  const names = new Set<string>();
  const containers = listAt(spec, "containers");
  if (containers.length === 0) errors.push(required(`${path}.containers`));
  for (const field of ["initContainers", "containers", "ephemeralContainers"]) {
    for (const [index, container] of listAt(spec, field).entries()) {
      errors.push(...validateContainer(container, `${path}.${field}[${index}]`, names, known));
    }
  }
  errors.push(...validateHostUsers(spec, path));
  errors.push(...oneOf(spec, "restartPolicy", path, RESTART_POLICIES), ...oneOf(spec, "dnsPolicy", path, DNS_POLICIES));
  const account = textAt(spec, "serviceAccountName");
  if (account !== "") errors.push(...checkName(dnsSubdomain, `${path}.serviceAccountName`, account));
  const grace = valueAt(spec, "terminationGracePeriodSeconds");
  if (typeof grace === "number" && grace < 0)
    errors.push(invalid(`${path}.terminationGracePeriodSeconds`, grace, "must be greater than or equal to 0"));
  return errors;
}

/** Who has users of his own shares no other namespace of the machine. */
function validateHostUsers(spec: Json | undefined, path: string): readonly FieldError[] {
  if (valueAt(spec, "hostUsers") !== false) return [];
  return ["hostNetwork", "hostPID", "hostIPC"]
    .filter((field) => valueAt(spec, field) === true)
    .map((field) => forbiddenField(`${path}.${field}`, "when `hostUsers` is false"));
}

export function oneOf(
  value: Json | undefined,
  field: string,
  path: string,
  choices: readonly string[],
): readonly FieldError[] {
  const found = valueAt(value, field);
  return found === undefined || choices.includes(textAt(found))
    ? []
    : [notSupported(`${path}.${field}`, found, choices.toSorted())];
}

function validateContainer(
  container: Json,
  at: string,
  names: Set<string>,
  volumes: ReadonlySet<string>,
): readonly FieldError[] {
  const errors: FieldError[] = [];
  const name = textAt(container, "name");
  if (name === "") errors.push(required(`${at}.name`));
  else errors.push(...checkName(dnsLabel, `${at}.name`, name));
  if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
  names.add(name);
  const image = textAt(container, "image");
  if (image === "") errors.push(required(`${at}.image`));
  else if (image.trim() !== image)
    errors.push(invalid(`${at}.image`, image, "must not have leading or trailing whitespace"));
  errors.push(...oneOf(container, "imagePullPolicy", at, PULL_POLICIES));
  const ports = new Set<string>();
  for (const [index, port] of listAt(container, "ports").entries()) {
    errors.push(
      ...portNumber(port, "containerPort", `${at}.ports[${index}]`),
      ...oneOf(port, "protocol", `${at}.ports[${index}]`, PROTOCOLS),
    );
    const named = textAt(port, "name");
    if (named !== "" && ports.has(named)) errors.push(duplicate(`${at}.ports[${index}].name`, named));
    ports.add(named);
  }
  for (const [index, variable] of listAt(container, "env").entries()) {
    if (textAt(variable, "name") === "") errors.push(required(`${at}.env[${index}].name`));
    if (textAt(variable, "value") !== "" && valueAt(variable, "valueFrom") !== undefined) {
      errors.push(invalid(`${at}.env[${index}].valueFrom`, "", "may not be specified when `value` is not empty"));
    }
  }
  const paths = new Set<string>();
  for (const [index, mount] of listAt(container, "volumeMounts").entries()) {
    const [volume, path] = [textAt(mount, "name"), textAt(mount, "mountPath")];
    const below = `${at}.volumeMounts[${index}]`;
    if (!volumes.has(volume)) errors.push(notFoundField(`${below}.name`, volume));
    if (path === "") errors.push(required(`${below}.mountPath`));
    if (paths.has(path)) errors.push(invalid(`${below}.mountPath`, path, "must be unique"));
    paths.add(path);
  }
  errors.push(...validateResources(container, at));
  return errors;
}

function validateResources(container: Json, at: string): readonly FieldError[] {
  return ["limits", "requests"].flatMap((field) =>
    Object.keys((valueAt(container, "resources", field) ?? {}) as object).flatMap((name) =>
      qualifiedName(name).map((problem) => invalid(`${at}.resources.${field}[${name}]`, name, problem)),
    ),
  );
}

export function portNumber(value: Json | undefined, field: string, path: string): readonly FieldError[] {
  const port = valueAt(value, field);
  if (port === undefined) return [required(`${path}.${field}`)];
  return typeof port === "number" && port >= 1 && port <= 65535
    ? []
    : [invalid(`${path}.${field}`, port, "must be between 1 and 65535, inclusive")];
}
