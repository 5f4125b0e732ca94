import {
  addQuantities,
  age,
  formatQuantity,
  isObject,
  type Json,
  type KubeObject,
  listAt,
  parseQuantity,
  type Quantity,
  quantityNumber,
  textAt,
  valueAt,
  ZERO,
} from "@boxship/api";
import { errorMessage } from "@boxship/base";
import { statusAt } from "../error-text.ts";
import { getObject, listObjects } from "../request/objects.ts";
import type { Session } from "../session.ts";
import { writeConditions } from "./conditions.ts";
import { eventsOf, writeEventList } from "./events.ts";
import { Lines, longTime, orNone } from "./lines.ts";
import { type Amounts, podLimits, podRequests } from "./pod-resources.ts";

const ROLE = "node-role.kubernetes.io/";

export async function describeNode(session: Session, node: KubeObject): Promise<string> {
  const lines = new Lines();
  const at = (...path: string[]): string => textAt(node, ...path);
  const put = (title: string, value: string): void => lines.raw(`${title}:\t${value}\n`);
  put("Name", at("metadata", "name"));
  put("Roles", orNone(rolesOf(node).join(",")));
  lines.labels("Labels", node.metadata.labels);
  lines.annotations("Annotations", node.metadata.annotations);
  put("CreationTimestamp", longTime(at("metadata", "creationTimestamp")));
  writeTaints(lines, listAt(node, "spec", "taints"));
  put("Unschedulable", String(valueAt(node, "spec", "unschedulable") === true));
  await writeLease(session, node, lines);
  writeConditions(lines, node, ["type", "status", "lastHeartbeatTime", "lastTransitionTime", "reason", "message"], " ");
  lines.add(0, "Addresses:");
  for (const one of listAt(node, "status", "addresses"))
    lines.add(1, `${textAt(one, "type")}:\t${textAt(one, "address")}`);
  for (const [title, field] of [
    ["Capacity", "capacity"],
    ["Allocatable", "allocatable"],
  ] as const) {
    const list = entriesOf(valueAt(node, "status", field));
    if (list.length === 0) continue;
    lines.add(0, `${title}:`);
    for (const [name, value] of list) lines.add(0, `  ${name}:\t${textAt(value)}`);
  }
  await writeSlices(session, node, lines);
  writeSystem(lines, node);
  if (at("spec", "podCIDR") !== "") put("PodCIDR", at("spec", "podCIDR"));
  const ranges = listAt(node, "spec", "podCIDRs").map((one) => textAt(one));
  if (ranges.length > 0) put("PodCIDRs", ranges.join(","));
  if (at("spec", "providerID") !== "") put("ProviderID", at("spec", "providerID"));
  await writePods(session, node, lines);
  if (!session.showEvents) return lines.text;
  // A node's agent tells of it by its name, as it knows no other identity.
  const named = { ...node, metadata: { ...node.metadata, uid: node.metadata.name ?? "" } };
  writeEventList(lines, [...(await eventsOf(session, node)), ...(await eventsOf(session, named))]);
  return lines.text;
}

function rolesOf(node: KubeObject): readonly string[] {
  const roles = Object.entries(node.metadata.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(ROLE)) return [key.slice(ROLE.length)];
    return key === "kubernetes.io/role" ? [value] : [];
  });
  return [...new Set(roles.filter((one) => one !== ""))].sort();
}

const entriesOf = (value: Json | undefined): readonly [string, Json | undefined][] =>
  Object.entries(isObject(value) ? value : {}).sort(([a], [b]) => (a < b ? -1 : 1));

function writeTaints(lines: Lines, taints: readonly Json[]): void {
  const key = (one: Json): string => `${textAt(one, "effect")},${textAt(one, "key")}`;
  const texts = [...taints]
    .sort((a, b) => (key(a) < key(b) ? -1 : 1))
    .map((one) => {
      const value = textAt(one, "value");
      return `${textAt(one, "key")}${value === "" ? "" : `=${value}`}:${textAt(one, "effect")}`;
    });
  lines.raw(`Taints:\t${orNone(texts.join("\n\t"))}\n`);
}

async function writeLease(session: Session, node: KubeObject, lines: Lines): Promise<void> {
  const mapping = (await session.mapper()).known("coordination.k8s.io", "leases");
  const place = { mapping, namespace: "kube-node-lease", name: node.metadata.name ?? "" };
  try {
    const lease = await getObject(session, place);
    const unset = (text: string): string => orNone(text, "<unset>");
    const time = (field: string): string => {
      const text = textAt(lease, "spec", field);
      return text === "" ? "<unset>" : longTime(text);
    };
    lines.add(0, "Lease:");
    lines.add(1, `HolderIdentity:\t${unset(textAt(lease, "spec", "holderIdentity"))}`);
    lines.add(1, `AcquireTime:\t${time("acquireTime")}`);
    lines.add(1, `RenewTime:\t${time("renewTime")}`);
  } catch (error) {
    lines.add(0, `Lease:\tFailed to get lease: ${errorMessage(error)}`);
  }
}

const MOST_POOLS = 10;

async function writeSlices(session: Session, node: KubeObject, lines: Lines): Promise<void> {
  const mapping = (await session.mapper()).find("resourceslices.resource.k8s.io");
  if (mapping === undefined) return;
  const fieldSelector = `spec.nodeName=${node.metadata.name ?? ""}`;
  const slices = await listObjects(session, mapping, "", { fieldSelector }).catch(() => []);
  const pools = new Map<string, { readonly driver: string; readonly pool: string; slices: number; devices: number }>();
  for (const slice of slices) {
    const [driver, pool] = [textAt(slice, "spec", "driver"), textAt(slice, "spec", "pool", "name")];
    const one = pools.get(`${driver}/${pool}`) ?? { driver, pool, slices: 0, devices: 0 };
    one.slices++;
    one.devices += listAt(slice, "spec", "devices").length;
    pools.set(`${driver}/${pool}`, one);
  }
  if (pools.size === 0) return;
  lines.add(0, "Node-Local ResourceSlices:");
  lines.add(1, "Driver\tPool\tSlices\tDevices");
  lines.add(1, "------\t----\t------\t-------");
  const all = [...pools].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
  for (const one of all.slice(0, MOST_POOLS)) lines.add(1, `${one.driver}\t${one.pool}\t${one.slices}\t${one.devices}`);
  if (all.length > MOST_POOLS) lines.add(1, `...and ${all.length - MOST_POOLS} more pools`);
}

const SYSTEM = [
  ["Machine ID", "machineID"],
  ["System UUID", "systemUUID"],
  ["Boot ID", "bootID"],
  ["Kernel Version", "kernelVersion"],
  ["OS Image", "osImage"],
  ["Operating System", "operatingSystem"],
  ["Architecture", "architecture"],
  ["Container Runtime Version", "containerRuntimeVersion"],
  ["Kubelet Version", "kubeletVersion"],
] as const;

function writeSystem(lines: Lines, node: KubeObject): void {
  lines.add(0, "System Info:");
  for (const [title, field] of SYSTEM) lines.add(1, `${title}:\t${textAt(node, "status", "nodeInfo", field)}`);
}

async function writePods(session: Session, node: KubeObject, lines: Lines): Promise<void> {
  const mapping = (await session.mapper()).known("", "pods");
  const fieldSelector = `spec.nodeName=${node.metadata.name ?? ""},status.phase!=Succeeded,status.phase!=Failed`;
  let pods: readonly KubeObject[];
  try {
    pods = await listObjects(session, mapping, "", { fieldSelector });
  } catch (error) {
    if (statusAt(error)?.reason !== "Forbidden") throw error;
    lines.add(0, "Pods:\tnot authorized");
    return;
  }
  const allocatable = new Map(
    entriesOf(valueAt(node, "status", "allocatable") ?? valueAt(node, "status", "capacity")).map(
      ([name, value]): [string, Quantity] => [name, parseQuantity(textAt(value)) ?? ZERO],
    ),
  );
  const share = (amounts: Amounts, name: string): string =>
    `${formatQuantity(amounts.get(name) ?? ZERO)} (${percent(amounts.get(name), allocatable.get(name), name)}%)`;
  lines.add(0, `Non-terminated Pods:\t(${pods.length} in total)`);
  lines.add(1, "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge");
  lines.add(1, "---------\t----\t\t------------\t----------\t---------------\t-------------\t---");
  const [requests, limits]: [Map<string, Quantity>, Map<string, Quantity>] = [new Map(), new Map()];
  for (const pod of pods) {
    const [asked, most] = [podRequests(pod), podLimits(pod)];
    addAll(requests, asked);
    addAll(limits, most);
    const cells = ["cpu", "memory"].flatMap((name) => [share(asked, name), share(most, name)]);
    const { namespace = "", name = "" } = pod.metadata;
    lines.add(1, `${namespace}\t${name}\t\t${cells.join("\t")}\t${age(pod.metadata.creationTimestamp, Date.now())}`);
  }
  lines.add(0, "Allocated resources:\n  (Total limits may be over 100 percent, i.e., overcommitted.)");
  lines.add(1, "Resource\tRequests\tLimits");
  lines.add(1, "--------\t--------\t------");
  const names = [...allocatable.keys()];
  const huge = names.filter((name) => name.startsWith("hugepages-"));
  for (const name of ["cpu", "memory", "ephemeral-storage", ...huge])
    lines.add(1, `${name}\t${share(requests, name)}\t${share(limits, name)}`);
  const standard = ["cpu", "memory", "ephemeral-storage", "pods", ...huge];
  for (const name of names.filter((one) => !standard.includes(one)))
    lines.add(1, `${name}\t${formatQuantity(requests.get(name) ?? ZERO)}\t${formatQuantity(limits.get(name) ?? ZERO)}`);
}

function addAll(sum: Map<string, Quantity>, more: Amounts): void {
  for (const [name, amount] of more) sum.set(name, addQuantities(sum.get(name) ?? ZERO, amount));
}

/** Of processors in thousandths, of all else in whole ones. */
function percent(part: Quantity = ZERO, whole: Quantity = ZERO, name: string): number {
  const scale = name === "cpu" ? 1000 : 1;
  const [some, all] = [part, whole].map((one) => Math.ceil(quantityNumber(one) * scale)) as [number, number];
  return all === 0 ? 0 : Math.trunc((some / all) * 100);
}
