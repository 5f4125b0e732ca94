import { isObject, type Json } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import type { Findings } from "../../validation/findings.ts";
import { httpHeader, portName } from "../../validation/names.ts";

/** Seconds that a pod has to end; undefined where it has not been said. */
type Grace = number | undefined;

export function checkPort(found: Findings, field: string, port: Json | undefined): void {
  if (typeof port === "string") found.name(portName, field, port);
  else found.port(field, port);
}

function checkHttp(found: Findings, at: string, request: Json): void {
  if (textAt(request, "path") === "") found.required(`${at}.path`);
  checkPort(found, `${at}.port`, valueAt(request, "port"));
  const scheme = textAt(request, "scheme");
  if (scheme !== "HTTP" && scheme !== "HTTPS") found.notSupported(`${at}.scheme`, scheme, ["HTTP", "HTTPS"]);
  for (const header of listAt(request, "httpHeaders"))
    found.name(httpHeader, `${at}.httpHeaders`, textAt(header, "name"));
}

const HANDLERS: Readonly<Record<string, (found: Findings, at: string, handler: Json, grace: Grace) => void>> = {
  exec: (found, at, handler) => {
    if (listAt(handler, "command").length === 0) found.required(`${at}.command`);
  },
  httpGet: checkHttp,
  tcpSocket: (found, at, handler) => checkPort(found, `${at}.port`, valueAt(handler, "port")),
  grpc: (found, at, handler) => found.port(`${at}.port`, valueAt(handler, "port")),
  sleep: (found, at, handler, grace) => {
    const seconds = Number(valueAt(handler, "seconds") ?? 0);
    if (grace !== undefined && (seconds < 0 || seconds > grace))
      found.invalid(at, seconds, `must be non-negative and less than terminationGracePeriodSeconds (${grace})`);
  },
};
const PROBED = ["exec", "httpGet", "tcpSocket", "grpc"];
const HOOKED = ["exec", "httpGet", "tcpSocket", "sleep"];

function checkHandler(found: Findings, at: string, value: Json, types: readonly string[], grace: Grace): void {
  const given = types.filter((type) => isObject(valueAt(value, type)));
  for (const [index, type] of given.entries()) {
    if (index > 0) found.forbidden(`${at}.${type}`, "may not specify more than 1 handler type");
    else HANDLERS[type]?.(found, `${at}.${type}`, valueAt(value, type) as Json, grace);
  }
  if (given.length === 0) found.required(at, "must specify a handler type");
}

const COUNTS = ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"];

/** `core/v1.Probe`, each of a container's. */
export function checkProbes(found: Findings, at: string, container: Json, grace: Grace): void {
  for (const name of ["livenessProbe", "readinessProbe", "startupProbe"]) {
    const probe = valueAt(container, name);
    if (!isObject(probe)) continue;
    const here = `${at}.${name}`;
    checkHandler(found, here, probe, PROBED, grace);
    for (const field of COUNTS) found.atLeastZero(`${here}.${field}`, probe[field]);
    const own = probe["terminationGracePeriodSeconds"];
    const field = `${here}.terminationGracePeriodSeconds`;
    if (typeof own === "number" && own <= 0) found.invalid(field, own, "must be greater than 0");
    const successes = probe["successThreshold"] ?? 1;
    if (name === "readinessProbe") {
      if (typeof own === "number") found.invalid(field, own, "must not be set for readinessProbes");
    } else if (successes !== 1) found.invalid(`${here}.successThreshold`, successes, "must be 1");
  }
}

/** `core/v1.Lifecycle` */
export function checkLifecycle(found: Findings, at: string, lifecycle: Json, grace: Grace): void {
  for (const name of ["postStart", "preStop"]) {
    const hook = valueAt(lifecycle, name);
    if (isObject(hook)) checkHandler(found, `${at}.${name}`, hook, HOOKED, grace);
  }
}
