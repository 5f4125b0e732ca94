import { type KubeObject, textAt } from "@boxship/api";
import { type Clock, DeadlineExceeded, FailedPrecondition } from "@boxship/base";
import { type ApiClient, keyOf } from "@boxship/client";
import { type ClaimPlan, isBound, type VolumeState } from "./volume-state.ts";

const VOLUMES = { group: "", version: "v1", resource: "persistentvolumes" } as const;
const CLAIMS = { group: "", version: "v1", resource: "persistentvolumeclaims" } as const;
const SELECTED_NODE = "volume.kubernetes.io/selected-node";
/** How long a volume may take to be made. */
const PATIENCE_MS = 10 * 60_000;

export interface BindClaimsContext {
  readonly client: ApiClient;
  readonly volumes: VolumeState;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Says which volume each claim gets, or on which node one is to be made, and waits until all of them are bound.
 *
 * @throws Conflict when somebody else was quicker, FailedPrecondition when a volume cannot be made there, DeadlineExceeded
 */
export async function bindClaims(plans: readonly ClaimPlan[], context: BindClaimsContext): Promise<void> {
  for (const plan of plans) {
    if (plan.volume === undefined) await selectNode(plan, context);
    else await reserveVolume(plan.claim, plan.volume, context);
  }
  await untilBound(plans, context);
}

async function selectNode({ claim, nodeName }: ClaimPlan, { client }: BindClaimsContext): Promise<void> {
  const { namespace = "", name = "", uid = "" } = claim.metadata;
  const metadata = { uid, annotations: { [SELECTED_NODE]: nodeName } };
  await client.patch({ ...CLAIMS, namespace, name }, "merge", { metadata });
}

async function reserveVolume(claim: KubeObject, volume: KubeObject, { client }: BindClaimsContext): Promise<void> {
  const { namespace = "", name = "", uid = "" } = claim.metadata;
  const { resourceVersion = "" } = volume.metadata;
  const claimRef = { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name, uid };
  // The version sees to it that the volume is still free.
  const metadata = { resourceVersion, annotations: { "pv.kubernetes.io/bound-by-controller": "yes" } };
  await client.patch({ ...VOLUMES, name: keyOf(volume) }, "merge", { metadata, spec: { claimRef } });
}

async function untilBound(plans: readonly ClaimPlan[], { volumes, clock, signal }: BindClaimsContext): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const told = new Set<string>();
  const look = (): void => {
    for (const plan of plans) {
      const claim = volumes.claim(keyOf(plan.claim));
      const selected = claim?.metadata.annotations?.[SELECTED_NODE];
      if (selected === plan.nodeName) told.add(keyOf(plan.claim));
      // Whoever makes volumes takes the node's name away when it cannot make one there.
      const isRefused = plan.volume === undefined && told.has(keyOf(plan.claim)) && selected !== plan.nodeName;
      if (claim === undefined || isRefused) {
        reject(refusal(plan));
        return;
      }
    }
    if (plans.every(({ claim }) => isBound(volumes.claim(keyOf(claim)) ?? claim))) resolve();
  };
  using _listening = volumes.onClaims(look);
  using _patience = clock.setTimeout(PATIENCE_MS, () => {
    const names = plans.map(({ claim }) => keyOf(claim)).join(", ");
    reject(new DeadlineExceeded(`the claims ${names} were not bound in time`));
  });
  const abort = (): void => reject(signal.reason as Error);
  signal.addEventListener("abort", abort, { once: true });
  look();
  try {
    await promise;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function refusal({ claim, nodeName }: ClaimPlan): FailedPrecondition {
  return new FailedPrecondition(`no volume could be made for the claim ${keyOf(claim)} on node ${nodeName}`, {
    subject: { kind: "persistentvolumeclaim", name: textAt(claim, "metadata", "name") },
    remedy: "see the claim's events",
  });
}
