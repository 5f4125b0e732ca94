import { type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import type { Session } from "../session.ts";
import { writeContainers } from "./containers.ts";
import { writeEvents } from "./events.ts";
import { Lines, longTime, orNone } from "./lines.ts";
import { writeTolerations } from "./pod-template.ts";
import { writeVolumes } from "./volumes.ts";

export async function describePod(session: Session, pod: KubeObject): Promise<string> {
  const lines = new Lines();
  writeHead(lines, pod);
  const { spec, status } = { spec: valueAt(pod, "spec"), status: valueAt(pod, "status") };
  const init = listAt(spec, "initContainers");
  if (init.length > 0) writeContainers(lines, "Init Containers", init, listAt(status, "initContainerStatuses"), "");
  writeContainers(lines, "Containers", listAt(spec, "containers"), listAt(status, "containerStatuses"), "");
  const ephemeral = listAt(spec, "ephemeralContainers");
  if (ephemeral.length > 0)
    writeContainers(lines, "Ephemeral Containers", ephemeral, listAt(status, "ephemeralContainerStatuses"), "");
  const gates = listAt(spec, "readinessGates");
  if (gates.length > 0) {
    lines.raw("Readiness Gates:\n  Type\tStatus\n");
    for (const gate of gates) {
      const type = textAt(gate, "conditionType");
      const found = listAt(status, "conditions").find((one) => textAt(one, "type") === type);
      lines.raw(`  ${type} \t${textAt(found, "status") || "<none>"} \n`);
    }
  }
  const conditions = listAt(status, "conditions");
  if (conditions.length > 0) {
    lines.raw("Conditions:\n  Type\tStatus\n");
    for (const one of conditions) lines.raw(`  ${textAt(one, "type")} \t${textAt(one, "status")} \n`);
  }
  writeVolumes(lines, listAt(spec, "volumes"), "");
  lines.raw(`QoS Class:\t${textAt(status, "qosClass")}\n`);
  lines.labels("Node-Selectors", valueAt(spec, "nodeSelector"));
  writeTolerations(lines, listAt(spec, "tolerations"));
  await writeEvents(session, pod, lines);
  return lines.text;
}

function writeHead(lines: Lines, pod: KubeObject): void {
  const put = (title: string, value: string): void => lines.raw(`${title}:\t${value}\n`);
  const at = (...path: string[]): string => textAt(pod, ...path);
  put("Name", at("metadata", "name"));
  put("Namespace", at("metadata", "namespace"));
  if (at("spec", "priority") !== "") {
    put("Priority", at("spec", "priority"));
    if (at("spec", "priorityClassName") !== "") put("Priority Class Name", at("spec", "priorityClassName"));
  }
  if (at("spec", "runtimeClassName") !== "") put("Runtime Class Name", at("spec", "runtimeClassName"));
  if (at("spec", "serviceAccountName") !== "") put("Service Account", at("spec", "serviceAccountName"));
  const node = at("spec", "nodeName");
  put("Node", node === "" ? "<none>" : `${node}/${at("status", "hostIP")}`);
  if (at("status", "startTime") !== "") put("Start Time", longTime(at("status", "startTime")));
  lines.labels("Labels", valueAt(pod, "metadata", "labels"));
  lines.annotations("Annotations", valueAt(pod, "metadata", "annotations"));
  if (at("metadata", "deletionTimestamp") !== "") {
    put("Status", `Terminating (lasts ${at("metadata", "deletionTimestamp")})`);
    put("Termination Grace Period", `${at("metadata", "deletionGracePeriodSeconds")}s`);
  } else put("Status", at("status", "phase"));
  if (at("status", "reason") !== "") put("Reason", at("status", "reason"));
  if (at("status", "message") !== "") put("Message", at("status", "message"));
  const seccomp = at("spec", "securityContext", "seccompProfile", "type");
  if (seccomp !== "") put("SeccompProfile", seccomp);
  put("IP", at("status", "podIP"));
  const addresses = listAt(pod, "status", "podIPs");
  if (addresses.length === 0) put("IPs", "<none>");
  else {
    lines.raw("IPs:\n");
    for (const one of addresses) lines.raw(`  IP:\t${textAt(one, "ip")}\n`);
  }
  const owner = listAt(pod, "metadata", "ownerReferences").find((one) => valueAt(one, "controller") === true);
  if (owner !== undefined) put("Controlled By", `${textAt(owner, "kind")}/${textAt(owner, "name")}`);
  const nominated = orNone(at("status", "nominatedNodeName"), "");
  if (nominated !== "") put("NominatedNodeName", nominated);
}
