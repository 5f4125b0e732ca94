import { type KubeObject, listAt, parseQuantity, quantityNumber, textAt, valueAt } from "@boxship/api";
import { defineCommand } from "../command.ts";
import { Refusal } from "../failure.ts";
import { bool, str } from "../flags.ts";
import { selectorFlag } from "../global-flags.ts";
import { alignRows } from "../print/table.ts";
import { getObject, listObjects } from "../request/objects.ts";
import type { Mapping } from "../resource/discovery.ts";
import type { Session } from "../session.ts";

interface Used {
  readonly cpu: number;
  readonly memory: number;
}

interface Row extends Used {
  /** Before the numbers. */
  readonly cells: readonly string[];
}

const MI = 1 << 20;

export const command = defineCommand({
  usage: "(pod | node) [NAME | -l label]",
  summary: "Display resource (CPU/memory) usage",
  flags: {
    ...selectorFlag,
    "all-namespaces": bool(false, { short: "A" }),
    containers: bool(),
    "field-selector": str(),
    "no-headers": bool(),
    "show-capacity": bool(),
    "show-swap": bool(),
    "sort-by": str(),
    sum: bool(),
    "use-protocol-buffers": bool(true),
  },
  async run(session, { flags, operands }) {
    const [type = "", name = "", ...more] = operands;
    const word = { po: "pods", pod: "pods", pods: "pods", no: "nodes", node: "nodes", nodes: "nodes" }[type];
    if (word === undefined || more.length > 0) throw new Refusal("name pod or node, and at most one of them");
    if (flags["show-swap"]) throw new Refusal("--show-swap is not supported: swap is not measured");
    if (!["", "cpu", "memory"].includes(flags["sort-by"])) throw new Refusal("--sort-by accepts only cpu or memory");
    if (name !== "" && flags.selector !== "") throw new Refusal("only one of NAME or --selector can be provided");
    const mapper = await session.mapper();
    if (!mapper.discovery.groups.some(({ group }) => group === "metrics.k8s.io")) {
      throw new Refusal("Metrics API not available");
    }
    const mapping = mapper.known("metrics.k8s.io", word);
    const isPods = word === "pods";
    const namespace = isPods && !flags["all-namespaces"] ? await session.namespace() : "";
    const found = await metricsOf(session, mapping, { namespace, name, selector: flags.selector });
    if (flags["field-selector"] !== "") throw new Refusal("--field-selector is not supported by top");
    if (found.length === 0) {
      session.warn(`No resources found${namespace === "" ? "" : ` in ${namespace} namespace.`}`);
      return;
    }
    const wide = flags["all-namespaces"];
    const rows = isPods
      ? found.flatMap((one) => podRows(one, wide, flags.containers))
      : found.map((one) => ({ cells: [one.metadata.name ?? ""], ...used(valueAt(one, "usage")) }));
    const by = flags["sort-by"];
    rows.sort((a, b) =>
      by === "cpu"
        ? b.cpu - a.cpu
        : by === "memory"
          ? b.memory - a.memory
          : a.cells.join("/") < b.cells.join("/")
            ? -1
            : 1,
    );
    const first = isPods ? [...(wide ? ["NAMESPACE"] : []), ...(flags.containers ? ["POD"] : []), "NAME"] : ["NAME"];
    const limits = isPods ? undefined : await capacities(session, flags["show-capacity"] ? "capacity" : "allocatable");
    const header = [...first, ...(limits === undefined ? ["CPU(cores)", "MEMORY(bytes)"] : NODE_NUMBERS)];
    const lines = rows.map((row) => [...row.cells, ...numbers(row, limits?.get(row.cells[0] ?? ""))]);
    const measured = new Set(rows.map(({ cells }) => cells[0]));
    if (limits !== undefined && name === "" && flags.selector === "") {
      for (const node of [...limits.keys()].filter((one) => !measured.has(one)))
        lines.push([node, ...NODE_NUMBERS.map(() => "<unknown>")]);
    }
    if (flags.sum && isPods) {
      const total = rows.reduce((sum, { cpu, memory }) => ({ cpu: sum.cpu + cpu, memory: sum.memory + memory }), NONE);
      const blank = first.map(() => "");
      lines.push([...blank, "________", "________"], [...blank, ...numbers(total, undefined)]);
    }
    session.io.stdout.write(alignRows((flags["no-headers"] ? lines : [header, ...lines]).map((row) => [...row, ""])));
  },
});

const NONE: Used = { cpu: 0, memory: 0 };
const NODE_NUMBERS = ["CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"];

async function metricsOf(
  session: Session,
  mapping: Mapping,
  { namespace, name, selector }: { readonly namespace: string; readonly name: string; readonly selector: string },
): Promise<readonly KubeObject[]> {
  if (name !== "") return [await getObject(session, { mapping, namespace, name })];
  return await listObjects(session, mapping, namespace, { labelSelector: selector, chunk: 0 });
}

const amount = (text: string): number => {
  const parsed = parseQuantity(text);
  return parsed === undefined ? 0 : quantityNumber(parsed);
};

const used = (usage: unknown): Used => ({
  cpu: amount(textAt(usage as KubeObject, "cpu")),
  memory: amount(textAt(usage as KubeObject, "memory")),
});

function podRows(pod: KubeObject, wide: boolean, byContainer: boolean): readonly Row[] {
  const { name = "", namespace = "" } = pod.metadata;
  const before = [...(wide ? [namespace] : []), name];
  const containers = listAt(pod, "containers");
  const each = containers.map((one) => ({ name: textAt(one, "name"), ...used(valueAt(one, "usage")) }));
  if (byContainer) return each.map((one) => ({ cells: [...before, one.name], cpu: one.cpu, memory: one.memory }));
  const sum = each.reduce((all, { cpu, memory }) => ({ cpu: all.cpu + cpu, memory: all.memory + memory }), NONE);
  return [{ cells: before, ...sum }];
}

/** Thousandths of a core are rounded up, bytes down. */
function numbers({ cpu, memory }: Used, of: Used | undefined): readonly string[] {
  const cores = `${Math.ceil(Number((cpu * 1000).toFixed(6)))}m`;
  const bytes = `${Math.floor(memory / MI)}Mi`;
  if (of === undefined) return [cores, bytes];
  return [cores, `${Math.floor((cpu / of.cpu) * 100)}%`, bytes, `${Math.floor((memory / of.memory) * 100)}%`];
}

async function capacities(session: Session, which: "allocatable" | "capacity"): Promise<ReadonlyMap<string, Used>> {
  const nodes = await listObjects(session, (await session.mapper()).known("", "nodes"), "");
  return new Map(nodes.map((node) => [node.metadata.name ?? "", used(valueAt(node, "status", which))]));
}
