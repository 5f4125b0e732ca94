import { type Json, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import type { Session } from "../session.ts";
import { writeConditions } from "./conditions.ts";
import { heading, marks } from "./config.ts";
import { writeEvents } from "./events.ts";
import { type Lines, mapText, orNone } from "./lines.ts";

const unset = (text: string): string => orNone(text, "<unset>");

function writePorts(lines: Lines, level: number, ports: readonly Json[]): void {
  lines.add(level, "Name\tPort\tProtocol");
  lines.add(level, "----\t----\t--------");
  for (const one of ports)
    lines.add(level, `${unset(textAt(one, "name"))}\t${unset(textAt(one, "port"))}\t${textAt(one, "protocol")}`);
}

export async function describeEndpointSlice(session: Session, object: KubeObject): Promise<string> {
  const lines = heading(object);
  marks(lines, object);
  lines.raw(`AddressType:\t${textAt(object, "addressType")}\n`);
  const ports = listAt(object, "ports");
  lines.add(0, ports.length === 0 ? "Ports: <unset>" : "Ports:");
  if (ports.length > 0) writePorts(lines, 1, ports);
  const endpoints = listAt(object, "endpoints");
  lines.add(0, endpoints.length === 0 ? "Endpoints: <none>" : "Endpoints:");
  for (const one of endpoints) {
    const addresses = listAt(one, "addresses").map((address) => textAt(address));
    lines.add(1, `- Addresses:\t${orNone(addresses.join(", "))}`);
    lines.add(2, "Conditions:");
    lines.add(3, `Ready:\t${unset(textAt(one, "conditions", "ready"))}`);
    lines.add(2, `Hostname:\t${unset(textAt(one, "hostname"))}`);
    const target = valueAt(one, "targetRef");
    if (target !== undefined) lines.add(2, `TargetRef:\t${textAt(target, "kind")}/${textAt(target, "name")}`);
    lines.add(2, `NodeName:\t${unset(textAt(one, "nodeName"))}`);
    lines.add(2, `Zone:\t${unset(textAt(one, "zone"))}`);
  }
  await writeEvents(session, object, lines);
  return lines.text;
}

export async function describeEndpoints(session: Session, object: KubeObject): Promise<string> {
  const lines = heading(object);
  marks(lines, object);
  lines.add(0, "Subsets:");
  for (const subset of listAt(object, "subsets")) {
    const addresses = (field: string): string =>
      orNone(
        listAt(subset, field)
          .map((one) => textAt(one, "ip"))
          .join(","),
      );
    lines.add(1, `Addresses:\t${addresses("addresses")}`);
    lines.add(1, `NotReadyAddresses:\t${addresses("notReadyAddresses")}`);
    const ports = listAt(subset, "ports");
    if (ports.length > 0) {
      lines.add(1, "Ports:");
      writePorts(lines, 2, ports);
    }
    lines.add(0, "");
  }
  await writeEvents(session, object, lines);
  return lines.text;
}

export async function describeServiceRange(session: Session, object: KubeObject): Promise<string> {
  const lines = heading(object, false);
  marks(lines, object);
  const ranges = listAt(object, "spec", "cidrs").map((one) => textAt(one));
  lines.raw(`CIDRs:\t${ranges.join(", ")}\n`);
  if (listAt(object, "status", "conditions").length > 0) lines.add(0, "Status:");
  writeConditions(lines, object, ["type", "status", "lastTransitionTime", "reason", "message"]);
  await writeEvents(session, object, lines);
  return lines.text;
}

export async function describeAddress(session: Session, object: KubeObject): Promise<string> {
  const lines = heading(object, false);
  marks(lines, object);
  const parent = valueAt(object, "spec", "parentRef");
  if (parent !== undefined) {
    lines.add(0, "Parent Reference:");
    for (const [title, field] of [
      ["Group", "group"],
      ["Resource", "resource"],
      ["Namespace", "namespace"],
      ["Name", "name"],
    ] as const) {
      lines.add(1, `${title}:\t${textAt(parent, field)}`);
    }
  }
  await writeEvents(session, object, lines);
  return lines.text;
}

export async function describeAttributesClass(session: Session, object: KubeObject): Promise<string> {
  const lines = heading(object, false);
  lines.raw(`Annotations:\t${orNone(mapText(object.metadata.annotations))}\n`);
  lines.raw(`DriverName:\t${textAt(object, "driverName")}\nParameters:\t${orNone(mapText(object["parameters"]))}\n`);
  await writeEvents(session, object, lines);
  return lines.text;
}
