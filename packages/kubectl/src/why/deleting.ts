import { isObject, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import type { Cause } from "./cause.ts";
import { type Facts, nameOf, within } from "./facts.ts";

/** What keeps an object that is to go. */
export async function whyDeleting(facts: Facts, object: KubeObject): Promise<readonly Cause[]> {
  const { deletionTimestamp, finalizers = [] } = object.metadata;
  if (deletionTimestamp === undefined) return [];
  const held = await Promise.all(finalizers.map((finalizer, at) => whyHeld(facts, object, finalizer, at)));
  if (object.kind === "Namespace") return [{ says: "it is being deleted", causes: await namespaceLeft(facts, object) }];
  if (held.length > 0) return [{ says: `it is being deleted since ${deletionTimestamp}, and is held`, causes: held }];
  const node = textAt(object, "spec", "nodeName");
  if (object.kind !== "Pod" || node === "") return [];
  const found = await facts.find("", "nodes", "", node);
  const says = `it is ending: its containers have until ${deletionTimestamp}, then they are killed`;
  const isReady = listAt(found ?? {}, "status", "conditions").some(
    (one) => textAt(one, "type") === "Ready" && textAt(one, "status") === "True",
  );
  if (isReady) return [{ says }];
  const help = [`kubectl delete pod ${object.metadata.name}${within(object)} --grace-period=0 --force`];
  return [{ says, causes: [{ says: `node ${node} does not answer, and nobody else can end them`, help }] }];
}

async function whyHeld(facts: Facts, object: KubeObject, finalizer: string, at: number): Promise<Cause> {
  const { namespace = "", name = "", uid } = object.metadata;
  if (finalizer === "kubernetes.io/pvc-protection") {
    const pods = (await facts.list("", "pods", namespace)).filter((pod) =>
      listAt(pod, "spec", "volumes").some((volume) => textAt(volume, "persistentVolumeClaim", "claimName") === name),
    );
    return {
      says: `finalizer ${finalizer}: pods mount it: ${pods.map((pod) => pod.metadata.name).join(", ") || "none any more"}`,
      help: pods.map((pod) => `kubectl delete pod ${pod.metadata.name}${within(object)}`),
    };
  }
  if (finalizer === "kubernetes.io/pv-protection") {
    const claim = valueAt(object, "spec", "claimRef");
    const where = `${textAt(claim, "namespace")}/${textAt(claim, "name")}`;
    const help = [`kubectl delete pvc ${textAt(claim, "name")} -n ${textAt(claim, "namespace")}`];
    return { says: `finalizer ${finalizer}: the claim ${where} has it`, help };
  }
  if (finalizer === "foregroundDeletion") {
    const left = (await dependents(facts, namespace)).filter(({ metadata }) =>
      metadata.ownerReferences?.some((owner) => owner.uid === uid),
    );
    return { says: `finalizer ${finalizer}: what belongs to it goes first: ${left.map(nameOf).join(", ")}` };
  }
  const writer = whoWrote(object, finalizer);
  // Who applied it by hand does not look after it.
  const owner = writer?.startsWith('"kubectl') === true ? undefined : writer;
  const patch = `[{"op":"remove","path":"/metadata/finalizers/${at}"}]`;
  const type = object.kind.toLowerCase();
  return {
    says: `finalizer ${finalizer} is for ${owner ?? controllerOf(finalizer)} to remove${owner === writer ? "" : `; it was written by ${writer}`}`,
    help: [
      `see that ${owner ?? "that controller"} runs; only if it never will again: kubectl patch ${type} ${name}${within(object)} --type=json -p='${patch}'`,
    ],
  };
}

/** Finalizers carry the domain of who looks after them. */
function controllerOf(finalizer: string): string {
  const [domain = "", rest] = finalizer.split("/", 2);
  return rest === undefined ? "its controller" : `the controller of ${domain}`;
}

async function dependents(facts: Facts, namespace: string): Promise<readonly KubeObject[]> {
  const kinds = [
    ["", "pods"],
    ["apps", "replicasets"],
    ["batch", "jobs"],
    ["", "persistentvolumeclaims"],
  ] as const;
  return (await Promise.all(kinds.map(([group, resource]) => facts.list(group, resource, namespace)))).flat();
}

/** The manager of fields whose write a finalizer was. */
function whoWrote({ metadata }: KubeObject, finalizer: string): string | undefined {
  const managers = listAt(metadata, "managedFields").filter((entry) => {
    const finalizers = valueAt(entry, "fieldsV1", "f:metadata", "f:finalizers");
    return isObject(finalizers ?? null) && Object.hasOwn(finalizers as object, `v:${JSON.stringify(finalizer)}`);
  });
  return managers[0] === undefined ? undefined : JSON.stringify(textAt(managers[0], "manager"));
}

/** What is told of a namespace's objects that are left, by resource: `widgets.example.com has 2 resource instances`. */
const LEFT = /([\w.-]+) has \d+ resource instances/g;
/** Objects of a namespace whose causes are told. */
const MOST_LEFT = 5;

/** What a namespace's conditions say of what is left in it, and what holds that. */
async function namespaceLeft(facts: Facts, namespace: KubeObject): Promise<readonly Cause[]> {
  const bad = listAt(namespace, "status", "conditions").filter((one) => textAt(one, "status") === "True");
  return await Promise.all(
    bad.map(async (one): Promise<Cause> => {
      const message = textAt(one, "message");
      const names = [...message.matchAll(LEFT)].map(([, name = ""]) => name.split("."));
      const left = await Promise.all(
        names.map(([resource = "", ...group]) => facts.list(group.join("."), resource, namespace.metadata.name)),
      );
      const causes = await Promise.all(
        left
          .flat()
          .slice(0, MOST_LEFT)
          .map(async (object) => ({ says: nameOf(object), causes: await whyDeleting(facts, object) })),
      );
      return { says: message, causes, help: helpLeft(message, namespace) };
    }),
  );
}

/** Where a group's server is away, what is left cannot even be listed. */
function helpLeft(message: string, { metadata: { name } }: KubeObject): readonly string[] {
  if (/[Dd]iscovery failed|GroupVersion/.test(message)) return ["kubectl get apiservices shows whose server is away"];
  // Whose these are is told of the objects that are left.
  if (message.search(LEFT) >= 0 || message.includes("finalizers remaining")) return [];
  return [`kubectl api-resources --verbs=list --namespaced -o name | xargs -n1 kubectl get -n ${name}`];
}
