import { type Json, type KubeObject, listAt, parseQuantity, quantityNumber, textAt, valueAt } from "@boxship/api";
import type { Cause } from "./cause.ts";
import { type Facts, within } from "./facts.ts";

/** Why no node takes a pod, by the scheduler's words and by what the nodes have. */
export async function whyUnschedulable(
  facts: Facts,
  pod: KubeObject,
  message: string,
  whyClaim: (claim: KubeObject) => Promise<readonly Cause[]>,
): Promise<Cause> {
  const [summary = "", ...rest] = message.replace(/\.? preemption: .*$/s, "").split(": ");
  const reasons =
    rest.length === 0
      ? []
      : rest
          .join(": ")
          .replace(/\.$/, "")
          .split(/, (?=\d+ )/);
  const nodes = await facts.list("", "nodes");
  const causes: Cause[] = [];
  for (const reason of reasons.length === 0 ? [message] : reasons) {
    causes.push(...(await whyReason(facts, pod, reason, nodes, whyClaim)));
  }
  return { says: `no node takes it: ${summary}`, causes };
}

async function whyReason(
  facts: Facts,
  pod: KubeObject,
  reason: string,
  nodes: readonly KubeObject[],
  whyClaim: (claim: KubeObject) => Promise<readonly Cause[]>,
): Promise<readonly Cause[]> {
  const short = /Insufficient (\S+)/.exec(reason)?.[1];
  if (short !== undefined) return await Promise.all(nodes.map((node) => whyShort(facts, pod, node, short)));
  if (reason.includes("taint")) return nodes.flatMap(whyTainted);
  if (reason.includes("unschedulable")) {
    const cordoned = nodes.filter((node) => valueAt(node, "spec", "unschedulable") === true);
    return cordoned.map(({ metadata: { name } }) => ({
      says: `node ${name} is cordoned: it takes no pods`,
      help: [`kubectl uncordon ${name}`],
    }));
  }
  if (/node affinity|node selector/.test(reason)) return [whyUnselected(pod, reason, nodes)];
  if (reason.includes("free ports")) return [{ says: reason, causes: await whoHasPorts(facts, pod) }];
  if (/persistentvolumeclaim/i.test(reason)) {
    const { namespace = "" } = pod.metadata;
    const names = listAt(pod, "spec", "volumes").map((one) => textAt(one, "persistentVolumeClaim", "claimName"));
    const causes: Cause[] = [];
    for (const name of names.filter((one) => one !== "")) {
      const claim = await facts.find("", "persistentvolumeclaims", namespace, name);
      if (claim === undefined) {
        causes.push({ says: `claim ${name} is not there`, help: [`kubectl get pvc${within(pod)}`] });
      } else causes.push(...(await whyClaim(claim)));
    }
    return [{ says: reason, causes }];
  }
  return [{ says: reason }];
}

/** Which ports of hosts a pod wants that others have. */
async function whoHasPorts(facts: Facts, pod: KubeObject): Promise<readonly Cause[]> {
  const wanted = new Set(portsOf(pod));
  const others = (await facts.list("", "pods")).filter(
    (one) =>
      textAt(one, "spec", "nodeName") !== "" && !["Succeeded", "Failed"].includes(textAt(one, "status", "phase")),
  );
  return others.flatMap((other) =>
    portsOf(other)
      .filter((port) => wanted.has(port))
      .map((port) => {
        const { namespace, name } = other.metadata;
        return {
          says: `port ${port} of node ${textAt(other, "spec", "nodeName")} is that of pod ${namespace}/${name}`,
        };
      }),
  );
}

const portsOf = (pod: KubeObject): readonly string[] =>
  listAt(pod, "spec", "containers")
    .flatMap((one) => listAt(one, "ports"))
    .filter((port) => valueAt(port, "hostPort") !== undefined)
    .map((port) => `${Number(valueAt(port, "hostPort"))}/${textAt(port, "protocol") || "TCP"}`);

const amount = (text: string): number => {
  const parsed = parseQuantity(text);
  return parsed === undefined ? 0 : quantityNumber(parsed);
};

function requested(pod: KubeObject, name: string): number {
  return listAt(pod, "spec", "containers").reduce<number>(
    (sum, one) => sum + amount(textAt(one, "resources", "requests", name)),
    0,
  );
}

async function whyShort(facts: Facts, pod: KubeObject, node: KubeObject, name: string): Promise<Cause> {
  const { name: nodeName = "" } = node.metadata;
  const there = (await facts.list("", "pods", "", { fieldSelector: `spec.nodeName=${nodeName}` })).filter(
    (one) => !["Succeeded", "Failed"].includes(textAt(one, "status", "phase")),
  );
  const taken = there.reduce((sum, one) => sum + requested(one, name), 0);
  const whole = amount(textAt(node, "status", "allocatable", name));
  const wanted = requested(pod, name);
  const text = (value: number): string => (name === "memory" ? `${Math.round(value / 2 ** 20)}Mi` : String(value));
  return {
    says: `node ${nodeName} has too little ${name}: the pod asks for ${text(wanted)}, and of ${text(whole)} are ${text(taken)} asked for by ${there.length} pods`,
    help: [
      wanted > whole
        ? `ask for less: resources.requests.${name} of the pod's containers`
        : `kubectl describe node ${nodeName} shows who asks for how much`,
    ],
  };
}

function whyTainted({ metadata: { name }, spec }: KubeObject): readonly Cause[] {
  return listAt(spec ?? null, "taints").map((taint) => {
    const [key, value, effect] = [textAt(taint, "key"), textAt(taint, "value"), textAt(taint, "effect")];
    const own = key.startsWith("node.kubernetes.io/");
    return {
      says: `node ${name} has the taint ${key}${value === "" ? "" : `=${value}`}:${effect}, which the pod does not tolerate`,
      help: [own ? `boxship why node/${name}` : `kubectl taint nodes ${name} ${key}:${effect}-`],
    };
  });
}

/** Which labels that a pod wants the nodes lack. */
export function whyUnselected(pod: KubeObject, reason: string, nodes: readonly KubeObject[]): Cause {
  const selector = Object.entries((valueAt(pod, "spec", "nodeSelector") ?? {}) as Record<string, string>);
  if (selector.length === 0) return whyUnattracted(pod, reason, nodes);
  const wanted = selector.map(([key, value]) => `${key}=${value}`);
  const lacking = nodes.flatMap(({ metadata: { name, labels = {} } }) => {
    const missing = selector.filter(([key, value]) => labels[key] !== value).map(([key, value]) => `${key}=${value}`);
    if (missing.length === 0) return [];
    return {
      says: `node ${name} has no label ${missing.join(", ")}`,
      help: [`kubectl label node ${name} ${missing.join(" ")}`],
    };
  });
  return { says: `it wants a node with ${wanted.join(", ")}`, causes: lacking };
}

/** Which labels that a pod's required affinity looks at the nodes have. */
function whyUnattracted(pod: KubeObject, reason: string, nodes: readonly KubeObject[]): Cause {
  const required = ["spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"] as const;
  const terms = listAt(pod, ...required, "nodeSelectorTerms").map((term) => listAt(term, "matchExpressions"));
  const wanted = terms.map((term) => term.map(expressionText).join(" and ")).filter((text) => text !== "");
  if (wanted.length === 0) return { says: reason };
  const keys = [...new Set(terms.flat().map((one) => textAt(one, "key")))];
  const causes = nodes.map(({ metadata: { name, labels = {} } }) => {
    const has = keys.map((key) => (labels[key] === undefined ? `no label ${key}` : `${key}=${labels[key]}`));
    return { says: `node ${name} has ${has.join(", ")}` };
  });
  return { says: `it wants a node with ${wanted.join(", or ")}`, causes };
}

function expressionText(expression: Json): string {
  const values = listAt(expression, "values").map(String).join(", ");
  return `${textAt(expression, "key")} ${textAt(expression, "operator")}${values === "" ? "" : ` (${values})`}`;
}
