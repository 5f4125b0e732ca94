import { type KubeObject, listAt, textAt } from "@boxship/api";
import type { Cause } from "./cause.ts";
import { type Facts, within } from "./facts.ts";

/** Why a claim has no volume. */
export async function whyClaim(facts: Facts, claim: KubeObject): Promise<readonly Cause[]> {
  const { name } = claim.metadata;
  const phase = textAt(claim, "status", "phase");
  if (phase === "Bound") return [];
  if (phase === "Lost")
    return [{ says: `claim ${name} has lost its volume ${textAt(claim, "spec", "volumeName")}: its data is gone` }];
  const className = textAt(claim, "spec", "storageClassName");
  const classes = await facts.list("storage.k8s.io", "storageclasses");
  const names = classes.map(({ metadata }) => metadata.name).join(", ") || "none";
  if (className === "") {
    const help = [`name a class in a new claim (there are: ${names}), or make a PersistentVolume for this one`];
    return [{ says: `claim ${name} names no storage class, and no volume fits it`, help }];
  }
  const storageClass = classes.find(({ metadata }) => metadata.name === className);
  if (storageClass === undefined) {
    const says = `claim ${name} wants the storage class ${className}, which is not there (there are: ${names})`;
    const gone = `kubectl delete pvc ${name}${within(claim)}, and make it again with another class: its class cannot change`;
    return [{ says, help: [`make the storage class ${className}, or: ${gone}`] }];
  }
  const failed = await facts.told(claim, "ProvisioningFailed");
  if (failed !== undefined) return [{ says: `claim ${name} has no volume: ${failed}` }];
  if (textAt(storageClass, "volumeBindingMode") === "WaitForFirstConsumer") {
    const pods = (await facts.list("", "pods", claim.metadata.namespace)).filter((pod) =>
      listAt(pod, "spec", "volumes").some((one) => textAt(one, "persistentVolumeClaim", "claimName") === name),
    );
    if (pods.length === 0) {
      return [
        { says: `claim ${name} waits for a pod that mounts it: class ${className} makes volumes where the pod is` },
      ];
    }
    const help = pods.map((pod) => `boxship why pod/${pod.metadata.name}${within(pod)}`);
    return [
      {
        says: `claim ${name} waits for the scheduler to place ${pods.map((pod) => pod.metadata.name).join(", ")}`,
        help,
      },
    ];
  }
  const provisioner = textAt(storageClass, "provisioner");
  return [
    {
      says: `claim ${name} waits for the provisioner ${provisioner} of class ${className}`,
      help: [`see that ${provisioner} runs`],
    },
  ];
}
