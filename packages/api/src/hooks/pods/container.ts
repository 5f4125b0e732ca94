import { isObject, type Json } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import type { Findings } from "../../validation/findings.ts";
import { dnsLabel, portName } from "../../validation/names.ts";
import { checkRequirements } from "../../validation/resources.ts";
import { checkEnvironment } from "./environment.ts";
import { checkLifecycle, checkProbes } from "./handlers.ts";
import { checkDevices, checkMounts, type Volumes } from "./mounts.ts";
import { checkSecurityContext } from "./security.ts";

export interface PodContext {
  readonly volumes: Volumes;
  /** Names of the pod's resource claims. */
  readonly claims: ReadonlySet<string>;
  readonly grace: number | undefined;
  readonly restartPolicy: string;
  readonly hostUsers: boolean;
  /** A pod itself, and not a template. */
  readonly isPod: boolean;
}

const PROTOCOLS = ["SCTP", "TCP", "UDP"];

function checkPorts(found: Findings, at: string, ports: readonly Json[]): void {
  const names = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const here = `${at}[${index}]`;
    const name = textAt(port, "name");
    const problems = name === "" ? [] : portName(name);
    for (const problem of problems) found.invalid(`${here}.name`, name, problem);
    if (name !== "" && problems.length === 0) {
      if (names.has(name)) found.duplicate(`${here}.name`, name);
      names.add(name);
    }
    const [own, host] = [valueAt(port, "containerPort"), valueAt(port, "hostPort")];
    if (own === undefined || own === 0) found.required(`${here}.containerPort`);
    else found.port(`${here}.containerPort`, own);
    if (typeof host === "number" && host !== 0) found.port(`${here}.hostPort`, host);
    found.oneOf(`${here}.protocol`, valueAt(port, "protocol"), PROTOCOLS);
  }
}

/** Ports of the host that containers want, each of them once. */
function checkHostPorts(found: Findings, at: (index: number) => string, containers: readonly Json[]): void {
  const seen = new Set<string>();
  for (const [index, container] of containers.entries()) {
    for (const [place, port] of listAt(container, "ports").entries()) {
      const host = valueAt(port, "hostPort");
      if (typeof host !== "number" || host === 0) continue;
      const key = `${textAt(port, "protocol")}/${textAt(port, "hostIP")}/${host}`;
      if (seen.has(key)) found.duplicate(`${at(index)}.ports[${place}].hostPort`, key);
      seen.add(key);
    }
  }
}

function checkResize(found: Findings, at: string, container: Json, restartPolicy: string): void {
  const field = `${at}.resizePolicy`;
  const seen = new Set<string>();
  for (const [index, policy] of listAt(container, "resizePolicy").entries()) {
    const [resource, restart] = [textAt(policy, "resourceName"), textAt(policy, "restartPolicy")];
    if (seen.has(resource)) found.duplicate(`${field}[${index}]`, resource);
    seen.add(resource);
    if (resource === "") found.required(field);
    else found.oneOf(field, resource, ["cpu", "memory"]);
    if (restart === "") found.required(field);
    else found.oneOf(field, restart, ["NotRequired", "RestartContainer"]);
    if (restartPolicy === "Never" && restart !== "NotRequired")
      found.invalid(field, restart, "must be 'NotRequired' when pod `restartPolicy` is 'Never'");
  }
}

function checkCommon(found: Findings, at: string, container: Json, context: PodContext): void {
  const { volumes, claims, restartPolicy, hostUsers } = context;
  found.requiredName(dnsLabel, `${at}.name`, textAt(container, "name"));
  const image = textAt(container, "image");
  if (image === "") found.required(`${at}.image`);
  found.oneOf(`${at}.terminationMessagePolicy`, valueAt(container, "terminationMessagePolicy"), [
    "File",
    "FallbackToLogsOnError",
  ]);
  checkPorts(found, `${at}.ports`, listAt(container, "ports"));
  checkEnvironment(found, at, container);
  checkMounts(found, at, container, volumes);
  checkDevices(found, at, container, volumes);
  found.oneOf(`${at}.imagePullPolicy`, valueAt(container, "imagePullPolicy"), ["Always", "IfNotPresent", "Never"]);
  checkRequirements(found, `${at}.resources`, valueAt(container, "resources"), { claims });
  checkResize(found, at, container, restartPolicy);
  checkSecurityContext(found, `${at}.securityContext`, valueAt(container, "securityContext"), hostUsers);
  if (context.isPod && image !== image.trim())
    found.invalid(`${at}.image`, image, "must not have leading or trailing whitespace");
}

const RESTARTS = ["Always", "Never", "OnFailure"];
const ACTIONS = ["Restart", "RestartAllContainers"];
const MOST_RULES = 20;
const MOST_CODES = 255;

function checkRestart(found: Findings, at: string, container: Json): void {
  const policy = valueAt(container, "restartPolicy");
  const rules = listAt(container, "restartPolicyRules");
  const field = `${at}.restartPolicy`;
  if (typeof policy === "string") found.oneOf(field, policy, RESTARTS);
  else if (rules.length > 0) found.required(field, "must specify restartPolicy when restart rules are used");
  if (rules.length > MOST_RULES) found.tooMany(`${at}.restartPolicyRules`, rules.length, MOST_RULES);
  for (const [index, rule] of rules.entries()) {
    const here = `${at}.restartPolicyRules[${index}]`;
    found.oneOf(`${here}.action`, textAt(rule, "action"), ACTIONS);
    const codes = valueAt(rule, "exitCodes");
    if (!isObject(codes)) {
      found.required(`${here}.exitCodes`, "must be specified");
      continue;
    }
    found.oneOf(`${here}.exitCodes.operator`, textAt(codes, "operator"), ["In", "NotIn"]);
    const count = listAt(codes, "values").length;
    if (count > MOST_CODES) found.tooMany(`${here}.exitCodes.values`, count, MOST_CODES);
  }
}

const HANDLED = ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"];

function checkHandlers(found: Findings, at: string, container: Json, { grace }: PodContext): void {
  const lifecycle = valueAt(container, "lifecycle");
  if (isObject(lifecycle)) checkLifecycle(found, `${at}.lifecycle`, lifecycle, grace);
  checkProbes(found, at, container, grace);
}

/** Containers, then those that run before them, then those that were added. */
export function checkContainers(found: Findings, at: string, spec: Json | undefined, context: PodContext): void {
  const containers = listAt(spec, "containers");
  if (containers.length === 0) found.required(`${at}.containers`);
  const names = new Set<string>();
  for (const [index, container] of containers.entries()) {
    const here = `${at}.containers[${index}]`;
    checkCommon(found, here, container, context);
    const name = textAt(container, "name");
    if (names.has(name)) found.duplicate(`${here}.name`, name);
    names.add(name);
    checkHandlers(found, here, container, context);
    checkRestart(found, here, container);
  }
  checkHostPorts(found, (index) => `${at}.containers[${index}]`, containers);
  checkInitContainers(found, `${at}.initContainers`, listAt(spec, "initContainers"), names, context);
  checkEphemeral(found, `${at}.ephemeralContainers`, listAt(spec, "ephemeralContainers"), names, context);
}

function checkInitContainers(
  found: Findings,
  at: string,
  containers: readonly Json[],
  names: Set<string>,
  context: PodContext,
): void {
  for (const [index, container] of containers.entries()) {
    const here = `${at}[${index}]`;
    checkCommon(found, here, container, context);
    checkRestart(found, here, container);
    const name = textAt(container, "name");
    if (names.has(name)) found.duplicate(`${here}.name`, name);
    else if (name !== "") names.add(name);
    checkHostPorts(found, () => `${at}[0]`, [container]);
    if (valueAt(container, "restartPolicy") === "Always") {
      checkHandlers(found, here, container, context);
      continue;
    }
    for (const field of HANDLED.filter((one) => isObject(valueAt(container, one))))
      found.forbidden(`${here}.${field}`, "may not be set for init containers without restartPolicy=Always");
    for (const [place, policy] of listAt(container, "resizePolicy").entries()) {
      const field = `${here}.resizePolicy[${place}].restartPolicy`;
      if (textAt(policy, "restartPolicy") === "RestartContainer") {
        const why = "must not be set to 'RestartContainer' for non-sidecar initContainers";
        found.invalid(field, "RestartContainer", why);
      }
    }
  }
}

const NOT_ADDED = [
  "ports",
  "resources",
  "livenessProbe",
  "readinessProbe",
  "startupProbe",
  "lifecycle",
  "resizePolicy",
  "restartPolicy",
  "restartPolicyRules",
];

function checkEphemeral(
  found: Findings,
  at: string,
  containers: readonly Json[],
  names: Set<string>,
  context: PodContext,
): void {
  const others = new Set(names);
  for (const [index, container] of containers.entries()) {
    const here = `${at}[${index}]`;
    checkCommon(found, here, container, context);
    const name = textAt(container, "name");
    if (names.has(name)) found.duplicate(`${here}.name`, name);
    names.add(name);
    const target = textAt(container, "targetContainerName");
    if (target !== "" && !others.has(target)) found.notFound(`${here}.targetContainerName`, target);
    for (const field of NOT_ADDED) {
      const value = valueAt(container, field) ?? null;
      const isEmpty = value === null || (typeof value === "object" && Object.keys(value).length === 0);
      if (!isEmpty) found.forbidden(`${here}.${field}`, "cannot be set for an Ephemeral Container");
    }
    for (const [place, mount] of listAt(container, "volumeMounts").entries()) {
      for (const field of ["subPath", "subPathExpr"].filter((one) => textAt(mount, one) !== ""))
        found.forbidden(`${here}.volumeMounts[${place}].${field}`, "cannot be set for an Ephemeral Container");
    }
  }
}
