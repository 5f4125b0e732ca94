import { type KubeObject, listAt, textAt } from "@boxship/api";
import type { NodeInfo } from "../cluster/node-info.ts";
import { type Change, isNodeChange, type Plugin, type Rejection, reject, rejectFinally } from "../plugin.ts";
import type { PodInfo } from "../pod/pod-info.ts";
import { isReachable, type OpenClaim, planClaims, volumesFor } from "../volumes/match-volumes.ts";
import { claimsOf, isBound, type UsedClaim, type VolumeState } from "../volumes/volume-state.ts";

const UNBOUND = rejectFinally("pod has unbound immediate PersistentVolumeClaims");
const OUT_OF_REACH = rejectFinally("node(s) had volume node affinity conflict");
const NOTHING_TO_BIND = rejectFinally("node(s) didn't find available persistent volumes to bind");
const NO_VOLUME = rejectFinally("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)");

interface PodClaims {
  readonly bound: readonly KubeObject[];
  readonly open: readonly OpenClaim[];
  readonly hasLost: boolean;
}

/** A pod's claims by what they have, or why it can go nowhere. */
export function readClaims(pod: PodInfo, state: VolumeState): PodClaims | Rejection {
  const [bound, open]: [KubeObject[], OpenClaim[]] = [[], []];
  let hasLost = false;
  for (const used of claimsOf(pod)) {
    const claim = state.claim(used.key);
    const against = findObjection(used, claim, pod);
    if (against !== undefined || claim === undefined) return against ?? UNBOUND;
    const volumeName = textAt(claim, "spec", "volumeName");
    if (volumeName !== "" && isBound(claim)) {
      const volume = state.volume(volumeName);
      if (volume === undefined) hasLost = true;
      else bound.push(volume);
    } else if (waitsForPod(claim, state)) open.push({ claim, candidates: volumesFor(claim, state) });
    else return UNBOUND;
  }
  return { bound, open, hasLost };
}

const waitsForPod = (claim: KubeObject, state: VolumeState): boolean =>
  textAt(state.class(textAt(claim, "spec", "storageClassName")), "volumeBindingMode") === "WaitForFirstConsumer";

function findObjection({ name, isOwn }: UsedClaim, claim: KubeObject | undefined, pod: PodInfo): Rejection | undefined {
  if (claim === undefined) {
    return isOwn
      ? rejectFinally(`waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}"`)
      : rejectFinally(`persistentvolumeclaim "${name}" not found`);
  }
  if (textAt(claim, "status", "phase") === "Lost") {
    const volume = textAt(claim, "spec", "volumeName");
    return rejectFinally(`persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${volume}"`);
  }
  if (claim.metadata.deletionTimestamp !== undefined)
    return rejectFinally(`persistentvolumeclaim "${name}" is being deleted`);
  const isPods = claim.metadata.ownerReferences?.some(({ uid }) => uid === pod.uid) === true;
  return isOwn && !isPods
    ? rejectFinally(`PVC ${pod.namespace}/${name} was not created for pod ${pod.key} (pod is not owner)`)
    : undefined;
}

/** Of single claims only the pod's own count. */
const isVolumeChange = (pod: PodInfo, change: Change): boolean =>
  change.kind === "volumes" && (change.claim === undefined || claimsOf(pod).some(({ key }) => key === change.claim));

export const volumeBinding: Plugin = {
  name: "VolumeBinding",
  filter(pod, { volumes }) {
    if (claimsOf(pod).length === 0) return undefined;
    const claims = readClaims(pod, volumes);
    if ("reasons" in claims) return claims;
    const { bound, open, hasLost } = claims;
    if (hasLost) return () => NO_VOLUME;
    return (node) => {
      if (!bound.every((volume) => isReachable(volume, node))) return OUT_OF_REACH;
      return planClaims(open, node, volumes) === undefined ? NOTHING_TO_BIND : undefined;
    };
  },
  mayHelp: (pod, change) => isVolumeChange(pod, change) || isNodeChange(change, "labels"),
};

const ZONE_LABELS = [
  "topology.kubernetes.io/zone",
  "topology.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone",
  "failure-domain.beta.kubernetes.io/region",
];
const NO_ZONE = rejectFinally("node(s) had no available volume zone");

/** Volumes that say by labels where they are, as those of clouds before there was node affinity. */
export const volumeZone: Plugin = {
  name: "VolumeZone",
  filter(pod, { volumes }) {
    const claims = claimsOf(pod).length === 0 ? undefined : readClaims(pod, volumes);
    if (claims === undefined || "reasons" in claims) return undefined;
    const wanted = claims.bound.flatMap(({ metadata: { labels = {} } }) =>
      ZONE_LABELS.flatMap((key) => {
        const value = labels[key];
        return value === undefined ? [] : [{ key, values: new Set(value.split("__")) }];
      }),
    );
    if (wanted.length === 0) return undefined;
    return ({ labels }) => {
      // A cluster without zones at all does not mind.
      if (!ZONE_LABELS.some((key) => Object.hasOwn(labels, key))) return undefined;
      return wanted.every(({ key, values }) => values.has(labels[key] ?? "")) ? undefined : NO_ZONE;
    };
  },
  mayHelp: (pod, change) => isVolumeChange(pod, change) || isNodeChange(change, "labels"),
};

const IN_USE = reject("node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode");

export const volumeRestrictions: Plugin = {
  name: "VolumeRestrictions",
  filter(pod, { volumes }) {
    const alone = claimsOf(pod).filter(({ key }) =>
      listAt(volumes.claim(key), "spec", "accessModes").includes("ReadWriteOncePod"),
    );
    if (alone.length === 0) return undefined;
    return alone.some(({ key }) => volumes.usersOf(key) > 0) ? () => IN_USE : undefined;
  },
  mayHelp: (pod, change) => change.kind === "podGone" || isVolumeChange(pod, change),
};

const TOO_MANY = reject("node(s) exceed max volume count");

/** The volume and its driver that a claim has, or will have. */
function attachmentOf({ key }: UsedClaim, state: VolumeState): { id: string; driver: string } | undefined {
  const claim = state.claim(key);
  const volume = state.volume(textAt(claim, "spec", "volumeName"));
  if (volume !== undefined) {
    const driver = textAt(volume, "spec", "csi", "driver");
    return driver === "" ? undefined : { id: textAt(volume, "spec", "csi", "volumeHandle"), driver };
  }
  const provisioner = textAt(state.class(textAt(claim, "spec", "storageClassName")), "provisioner");
  return claim === undefined || provisioner === "" ? undefined : { id: key, driver: provisioner };
}

export const nodeVolumeLimits: Plugin = {
  name: "NodeVolumeLimits",
  filter(pod, { volumes }) {
    const wanted = claimsOf(pod).flatMap((claim) => attachmentOf(claim, volumes) ?? []);
    if (wanted.length === 0) return undefined;
    const drivers = [...new Set(wanted.map(({ driver }) => driver))];
    return (node: NodeInfo) => {
      for (const driver of drivers) {
        const limit = volumes.limitOn(node.name, driver);
        if (limit === Number.POSITIVE_INFINITY) continue;
        const there = [...node.pods.values()]
          .flatMap((one) => claimsOf(one))
          .flatMap((one) => attachmentOf(one, volumes) ?? []);
        const all = new Set([...there, ...wanted].filter((one) => one.driver === driver).map(({ id }) => id));
        if (all.size > limit) return TOO_MANY;
      }
      return undefined;
    };
  },
  mayHelp: (pod, change) => change.kind === "podGone" || isVolumeChange(pod, change) || change.kind === "nodeAdded",
};
