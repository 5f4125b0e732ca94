import type { KubeObject } from "../object/kube-object.ts";
import { listAt, textAt, valueAt } from "../object/kube-object.ts";
import { parseQuantity } from "../object/quantity.ts";
import { matchesLabels } from "../selector/label-selector.ts";
import { type LabelSelectorObject, selectorOf } from "../selector/label-selector-object.ts";

/** Of classes whose volumes are made by hand. */
export const NO_PROVISIONER = "kubernetes.io/no-provisioner";

const quantityAt = (object: KubeObject, ...path: readonly string[]): bigint =>
  parseQuantity(textAt(object, ...path))?.nano ?? 0n;

/** Storage that a volume has, in thousand-millionths of a byte. */
export const volumeCapacity = (volume: KubeObject): bigint => quantityAt(volume, "spec", "capacity", "storage");

/** A volume whose reference names the claim: before it was bound, or since. */
export function isVolumeFor(volume: KubeObject, { metadata }: KubeObject): boolean {
  const reference = valueAt(volume, "spec", "claimRef");
  if (reference === undefined || reference === null) return false;
  if (textAt(reference, "name") !== metadata.name || textAt(reference, "namespace") !== metadata.namespace)
    return false;
  return ["", metadata.uid].includes(textAt(reference, "uid"));
}

/** Whether volumes are what a claim asks for: class, mode, access modes, labels, size. Not whether anybody has them. */
export function volumesFitting(claim: KubeObject): (volume: KubeObject) => boolean {
  const wanted = quantityAt(claim, "spec", "resources", "requests", "storage");
  const className = textAt(claim, "spec", "storageClassName");
  const mode = modeOf(claim);
  const accessModes = listAt(claim, "spec", "accessModes");
  const selector = selectorOf(valueAt(claim, "spec", "selector") as LabelSelectorObject | undefined);
  return (volume) =>
    volume.metadata.deletionTimestamp === undefined &&
    textAt(volume, "spec", "storageClassName") === className &&
    modeOf(volume) === mode &&
    accessModes.every((one) => listAt(volume, "spec", "accessModes").includes(one)) &&
    (selector === undefined || matchesLabels(selector, volume.metadata.labels)) &&
    volumeCapacity(volume) >= wanted;
}

const modeOf = (object: KubeObject): string => textAt(object, "spec", "volumeMode") || "Filesystem";
