import { isObject, type Json, listAt, textAt, valueAt } from "@boxship/api";
import { type Lines, longTime, orNone } from "./lines.ts";

/** `Containers:` of a pod or a template. @param space before names: templates have one */
export function writeContainers(
  lines: Lines,
  label: string,
  containers: readonly Json[],
  statuses: readonly Json[],
  space: string,
): void {
  lines.raw(`${space === "" ? "" : "  "}${label}:\n`);
  for (const container of containers) {
    const status = statuses.find((one) => textAt(one, "name") === textAt(container, "name"));
    writeContainer(lines, container, status, space);
  }
}

function writeContainer(lines: Lines, container: Json, status: Json | undefined, space: string): void {
  const put = (text: string): void => lines.raw(`    ${text}\n`);
  const deep = (text: string): void => lines.raw(`      ${text}\n`);
  lines.raw(`${space === "" ? "  " : "   "}${textAt(container, "name")}:\n`);
  if (status !== undefined) put(`Container ID:\t${textAt(status, "containerID")}`);
  put(`Image:\t${textAt(container, "image")}`);
  if (status !== undefined) put(`Image ID:\t${textAt(status, "imageID")}`);
  const ports = listAt(container, "ports");
  put(`${ports.length > 1 ? "Ports" : "Port"}:\t${orNone(portsText(ports, "containerPort"))}`);
  put(`${ports.length > 1 ? "Host Ports" : "Host Port"}:\t${orNone(portsText(ports, "hostPort"))}`);
  const seccomp = textAt(container, "securityContext", "seccompProfile", "type");
  if (seccomp !== "") put(`SeccompProfile:\t${seccomp}`);
  for (const [field, title] of [
    ["command", "Command"],
    ["args", "Args"],
  ] as const) {
    const words = listAt(container, field);
    if (words.length === 0) continue;
    put(`${title}:`);
    for (const word of words) for (const line of textAt(word).split("\n")) deep(line);
  }
  if (status !== undefined) writeState(lines, status);
  writeResources(lines, container);
  for (const [field, title] of [
    ["livenessProbe", "Liveness"],
    ["readinessProbe", "Readiness"],
    ["startupProbe", "Startup"],
  ] as const) {
    const probe = valueAt(container, field);
    if (isObject(probe)) put(`${title}:\t${probeText(probe)}`);
  }
  writeEnvironment(lines, container);
  const mounts = [...listAt(container, "volumeMounts")].sort((a, b) =>
    textAt(a, "mountPath") < textAt(b, "mountPath") ? -1 : 1,
  );
  put(`Mounts:${mounts.length === 0 ? "\t<none>" : ""}`);
  for (const mount of mounts) {
    const flags = [
      valueAt(mount, "readOnly") === true ? "ro" : "rw",
      ...(textAt(mount, "subPath") === "" ? [] : [`path=${JSON.stringify(textAt(mount, "subPath"))}`]),
    ];
    deep(`${textAt(mount, "mountPath")} from ${textAt(mount, "name")} (${flags.join(",")})`);
  }
  const devices = listAt(container, "volumeDevices");
  if (devices.length === 0) return;
  put("Devices:");
  for (const device of devices) deep(`${textAt(device, "devicePath")} from ${textAt(device, "name")}`);
}

function portsText(ports: readonly Json[], field: string): string {
  return ports
    .map((port) => {
      const name = textAt(port, "name");
      return `${textAt(port, field) || 0}/${textAt(port, "protocol") || "TCP"}${name === "" ? "" : ` (${name})`}`;
    })
    .join(", ");
}

function writeState(lines: Lines, status: Json): void {
  const state = (title: string, value: Json | undefined): void => {
    const put = (text: string): void => lines.raw(`      ${text}\n`);
    const [running, waiting, ended] = ["running", "waiting", "terminated"].map((field) => valueAt(value, field));
    if (running !== undefined) {
      lines.raw(`    ${title}:\tRunning\n`);
      put(`Started:\t${longTime(textAt(running, "startedAt"))}`);
    } else if (ended !== undefined) {
      lines.raw(`    ${title}:\tTerminated\n`);
      if (textAt(ended, "reason") !== "") put(`Reason:\t${textAt(ended, "reason")}`);
      if (textAt(ended, "message") !== "") put(`Message:\t${textAt(ended, "message")}`);
      put(`Exit Code:\t${textAt(ended, "exitCode")}`);
      if (Number(valueAt(ended, "signal") ?? 0) > 0) put(`Signal:\t${textAt(ended, "signal")}`);
      put(`Started:\t${longTime(textAt(ended, "startedAt"))}`);
      put(`Finished:\t${longTime(textAt(ended, "finishedAt"))}`);
    } else {
      lines.raw(`    ${title}:\tWaiting\n`);
      if (textAt(waiting, "reason") !== "") put(`Reason:\t${textAt(waiting, "reason")}`);
    }
  };
  state("State", valueAt(status, "state"));
  const last = valueAt(status, "lastState");
  if (isObject(last) && last["terminated"] !== undefined) state("Last State", last);
  lines.raw(`    Ready:\t${valueAt(status, "ready") === true ? "True" : "False"}\n`);
  lines.raw(`    Restart Count:\t${textAt(status, "restartCount") || 0}\n`);
}

function writeResources(lines: Lines, container: Json): void {
  for (const [field, title] of [
    ["limits", "Limits"],
    ["requests", "Requests"],
  ] as const) {
    const amounts = valueAt(container, "resources", field);
    if (!isObject(amounts) || Object.keys(amounts).length === 0) continue;
    lines.raw(`    ${title}:\n`);
    for (const name of Object.keys(amounts).sort()) lines.raw(`      ${name}:\t${textAt(amounts, name)}\n`);
  }
}

function probeText(probe: Json): string {
  const number = (field: string): string => textAt(probe, field) || "0";
  const rest = `delay=${number("initialDelaySeconds")}s timeout=${number("timeoutSeconds")}s period=${number("periodSeconds")}s #success=${number("successThreshold")} #failure=${number("failureThreshold")}`;
  const exec = valueAt(probe, "exec");
  if (exec !== undefined)
    return `exec [${listAt(exec, "command")
      .map((one) => textAt(one))
      .join(" ")}] ${rest}`;
  const http = valueAt(probe, "httpGet");
  if (http !== undefined) {
    const scheme = (textAt(http, "scheme") || "HTTP").toLowerCase();
    return `http-get ${scheme}://${textAt(http, "host")}:${textAt(http, "port")}${textAt(http, "path")} ${rest}`;
  }
  const tcp = valueAt(probe, "tcpSocket");
  if (tcp !== undefined) return `tcp-socket ${textAt(tcp, "host")}:${textAt(tcp, "port")} ${rest}`;
  const grpc = valueAt(probe, "grpc");
  if (grpc !== undefined) return `grpc <pod>:${textAt(grpc, "port")} ${textAt(grpc, "service")} ${rest}`;
  return `unknown ${rest}`;
}

function writeEnvironment(lines: Lines, container: Json): void {
  const sources = listAt(container, "envFrom");
  if (sources.length > 0) lines.raw("    Environment Variables from:\n");
  for (const source of sources) {
    const config = valueAt(source, "configMapRef");
    const from = config ?? valueAt(source, "secretRef");
    const prefix = textAt(source, "prefix");
    const what = `${config === undefined ? "Secret" : "ConfigMap"}${prefix === "" ? "" : ` with prefix '${prefix}'`}`;
    lines.raw(`      ${textAt(from, "name")}\t${what}\tOptional: ${valueAt(from, "optional") === true}\n`);
  }
  const variables = listAt(container, "env");
  lines.raw(`    Environment:${variables.length === 0 ? "\t<none>" : ""}\n`);
  for (const one of variables) lines.raw(`      ${textAt(one, "name")}:\t${variableText(one, container)}\n`);
}

function variableText(variable: Json, container: Json): string {
  const from = valueAt(variable, "valueFrom");
  if (from === undefined) {
    return textAt(variable, "value")
      .split("\n")
      .map((line, index) => (index === 0 ? line : `      \t${line}`))
      .join("\n");
  }
  const field = valueAt(from, "fieldRef");
  if (field !== undefined) return ` (${textAt(field, "apiVersion") || "v1"}:${textAt(field, "fieldPath")})`;
  const resource = valueAt(from, "resourceFieldRef");
  if (resource !== undefined) {
    const name = textAt(resource, "resource");
    const value = textAt(container, "resources", ...name.split("."));
    return `${value === "" ? "node allocatable" : value} (${name})`;
  }
  for (const [key, what] of [
    ["secretKeyRef", "in secret"],
    ["configMapKeyRef", "of config map"],
  ] as const) {
    const reference = valueAt(from, key);
    if (reference === undefined) continue;
    return `<set to the key '${textAt(reference, "key")}' ${what} '${textAt(reference, "name")}'>\tOptional: ${valueAt(reference, "optional") === true}`;
  }
  return "";
}
