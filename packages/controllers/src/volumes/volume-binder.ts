import { deepCopy, deepEqual, isVolumeFor, NO_PROVISIONER, timestamp } from "@boxship/api";
import { keyOf } from "@boxship/client";
import type { ControllerContext, ControllerDefinition, Reconcile } from "../contract.ts";
import { isTerminating } from "../shared/pods.ts";
import { PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, refOf, STORAGE_CLASSES } from "../shared/resources.ts";
import { writeStatus } from "../shared/write-status.ts";
import type { Claim, StorageClass, Volume } from "../types/volumes.ts";
import { PROVISIONER, SELECTED_NODE } from "./claim-annotations.ts";
import { matchVolume } from "./match-volume.ts";

const COMPLETED = "pv.kubernetes.io/bind-completed";
const BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller";
const OLD_PROVISIONER = "volume.beta.kubernetes.io/storage-provisioner";
/** Keys of volumes; those of claims have a namespace. */
const VOLUME = "volume:";

/** Brings claims and volumes together. */
export const volumeBinder: ControllerDefinition = {
  name: "persistentvolume-controller",
  // Two claims at once could take the same volume.
  workers: 1,
  open: (context) => new VolumeBinder(context).reconcile,
};

class VolumeBinder {
  readonly #context: ControllerContext;

  constructor(context: ControllerContext) {
    this.#context = context;
    const { informers, queue } = context;
    const claims = informers.of<Claim>(PERSISTENT_VOLUME_CLAIMS);
    const volumes = informers.of<Volume>(PERSISTENT_VOLUMES);
    const volumeOf = ({ spec }: Claim): void => {
      if ((spec?.volumeName ?? "") !== "") queue.add(`${VOLUME}${spec?.volumeName}`);
    };
    const claimed = (claim: Claim): void => queue.add(keyOf(claim));
    claims.handle({ added: claimed, updated: claimed, deleted: volumeOf });
    const waiting = (): void => {
      for (const claim of claims.all()) if (claim.status?.phase !== "Bound") queue.add(keyOf(claim));
    };
    const changed = (volume: Volume): void => {
      queue.add(`${VOLUME}${volume.metadata.name}`);
      // Those that say they have it, whatever it says now.
      for (const claim of claims.find("volume", volume.metadata.name ?? "")) queue.add(keyOf(claim));
      const { namespace, name } = volume.spec?.claimRef ?? {};
      if (name !== undefined) queue.add(`${namespace}/${name}`);
      if (volume.spec?.claimRef === undefined) waiting();
    };
    volumes.handle({ added: changed, updated: changed, deleted: changed });
    informers.of<StorageClass>(STORAGE_CLASSES).handle({ added: waiting });
  }

  readonly reconcile: Reconcile = async (key) => {
    const { informers } = this.#context;
    if (key.startsWith(VOLUME)) {
      const volume = informers.of<Volume>(PERSISTENT_VOLUMES).get(key.slice(VOLUME.length));
      if (volume !== undefined) await this.#volume(volume);
      return;
    }
    const claim = informers.of<Claim>(PERSISTENT_VOLUME_CLAIMS).get(key);
    if (claim === undefined) return;
    if (claim.metadata.annotations?.[COMPLETED] === undefined) await this.#unbound(claim);
    else await this.#bound(claim);
  };

  #find(name: string | undefined): Volume | undefined {
    return this.#context.informers.of<Volume>(PERSISTENT_VOLUMES).get(name ?? "");
  }

  async #unbound(claim: Claim): Promise<void> {
    const wanted = claim.spec?.volumeName ?? "";
    if (wanted !== "") {
      const volume = this.#find(wanted);
      const free = volume !== undefined && (volume.spec?.claimRef === undefined || isVolumeFor(volume, claim));
      if (free) return await this.#bind(volume, claim);
      if (volume !== undefined) {
        const words = `volume "${wanted}" already bound to a different claim.`;
        this.#context.events.record(claim, "Warning", "FailedBinding", words);
      }
      await this.#phase(claim, { phase: "Pending" });
      return;
    }
    const volumes = this.#context.informers.of<Volume>(PERSISTENT_VOLUMES);
    const storageClass = this.#classOf(claim);
    const waits = storageClass?.volumeBindingMode === "WaitForFirstConsumer";
    const prebound = [...volumes.all()].find((volume) => isVolumeFor(volume, claim));
    const match = waits && prebound === undefined ? undefined : matchVolume(claim, volumes.all());
    if (match !== undefined) await this.#bind(match, claim);
    else await this.#wait(claim, storageClass, waits && claim.metadata.annotations?.[SELECTED_NODE] === undefined);
  }

  #classOf({ spec }: Claim): StorageClass | undefined {
    const name = spec?.storageClassName ?? "";
    return name === "" ? undefined : this.#context.informers.of<StorageClass>(STORAGE_CLASSES).get(name);
  }

  /** Says what the claim waits for. */
  async #wait(claim: Claim, storageClass: StorageClass | undefined, forConsumer: boolean): Promise<void> {
    const { events, client } = this.#context;
    const { provisioner = "" } = storageClass ?? {};
    let asked = claim;
    if (forConsumer) {
      events.record(claim, "Normal", "WaitForFirstConsumer", "waiting for first consumer to be created before binding");
    } else if ((claim.spec?.storageClassName ?? "") === "") {
      const words = "no persistent volumes available for this claim and no storage class is set";
      events.record(claim, "Normal", "FailedBinding", words);
    } else if (storageClass === undefined) {
      const words = `storageclass.storage.k8s.io "${claim.spec?.storageClassName}" not found`;
      events.record(claim, "Warning", "ProvisioningFailed", words);
    } else if (provisioner !== NO_PROVISIONER) {
      if (claim.metadata.annotations?.[PROVISIONER] !== provisioner) {
        const annotations = { [PROVISIONER]: provisioner, [OLD_PROVISIONER]: provisioner };
        const { resourceVersion } = claim.metadata;
        const patch = { metadata: { resourceVersion, annotations } };
        asked = await client.patch<Claim>(refOf(PERSISTENT_VOLUME_CLAIMS, claim), "merge", patch);
      }
      const words = `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`;
      events.record(claim, "Normal", "ExternalProvisioning", words);
    }
    await this.#phase(asked, { phase: "Pending" });
  }

  /** First the volume is the claim's, then the claim has the volume: between the two, the next look goes on. */
  async #bind(volume: Volume, claim: Claim): Promise<void> {
    const { client } = this.#context;
    let taken = volume;
    if (volume.spec?.claimRef?.uid !== claim.metadata.uid) {
      taken = deepCopy(volume);
      const { namespace = "", name = "", uid = "", resourceVersion = "" } = claim.metadata;
      const claimRef = { kind: "PersistentVolumeClaim", namespace, name, uid, apiVersion: "v1", resourceVersion };
      if (volume.spec?.claimRef === undefined) {
        taken.metadata.annotations = { ...taken.metadata.annotations, [BY_CONTROLLER]: "yes" };
      }
      taken.spec = { ...taken.spec, claimRef };
      taken = await client.update(refOf(PERSISTENT_VOLUMES, volume), taken);
    }
    taken = await this.#volumePhase(taken, "Bound");
    let having = deepCopy(claim);
    const chosen: { [name: string]: string } = (claim.spec?.volumeName ?? "") === "" ? { [BY_CONTROLLER]: "yes" } : {};
    having.metadata.annotations = { ...having.metadata.annotations, [COMPLETED]: "yes", ...chosen };
    having.spec = { ...having.spec, volumeName: volume.metadata.name ?? "" };
    if (!deepEqual(having, claim)) having = await client.update(refOf(PERSISTENT_VOLUME_CLAIMS, claim), having);
    await this.#boundPhase(having, taken);
  }

  async #boundPhase(claim: Claim, { spec }: Volume): Promise<void> {
    const { accessModes, capacity } = spec ?? {};
    await this.#phase(claim, {
      phase: "Bound",
      ...(accessModes === undefined ? {} : { accessModes }),
      ...(capacity === undefined ? {} : { capacity: claim.status?.capacity ?? capacity }),
    });
  }

  /** A claim that was bound once: to this volume, for ever. */
  async #bound(claim: Claim): Promise<void> {
    const name = claim.spec?.volumeName ?? "";
    const volume = this.#find(name);
    if (name === "") {
      await this.#lost(
        claim,
        "ClaimLost",
        "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!",
      );
    } else if (volume === undefined) {
      await this.#lost(claim, "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!");
    } else if (volume.spec?.claimRef === undefined || volume.spec.claimRef.uid === claim.metadata.uid) {
      await this.#bind(volume, claim);
    } else {
      await this.#lost(
        claim,
        "ClaimMisbound",
        "Two claims are bound to the same volume, this one is bound incorrectly",
      );
    }
  }

  async #lost(claim: Claim, reason: string, message: string): Promise<void> {
    if (claim.status?.phase === "Lost") return;
    this.#context.events.record(claim, "Warning", reason, message);
    await this.#phase(claim, { phase: "Lost" });
  }

  async #phase(claim: Claim, status: NonNullable<Claim["status"]>): Promise<void> {
    const next = { ...claim.status, ...status };
    if (deepEqual(next, claim.status ?? {})) return;
    await writeStatus(this.#context.client, refOf(PERSISTENT_VOLUME_CLAIMS, claim), claim, next);
  }

  async #volume(volume: Volume): Promise<void> {
    const { informers, client } = this.#context;
    const reference = volume.spec?.claimRef;
    if (reference === undefined || (reference.uid ?? "") === "") {
      if (!isTerminating(volume)) await this.#volumePhase(volume, "Available");
      return;
    }
    const claims = informers.of<Claim>(PERSISTENT_VOLUME_CLAIMS);
    const claim = claims.get(`${reference.namespace}/${reference.name}`);
    if (claim === undefined || claim.metadata.uid !== reference.uid) {
      // Whoever provisioned it deletes it, if it is to be deleted.
      await this.#volumePhase(volume, "Released");
      return;
    }
    const other = claim.spec?.volumeName ?? "";
    if (other === "" || other === volume.metadata.name) {
      if (other !== "") await this.#volumePhase(volume, "Bound");
      return;
    }
    // The claim has another one: what was taken for it is free again.
    if (volume.metadata.annotations?.[BY_CONTROLLER] === undefined) return;
    const copy = deepCopy(volume);
    delete copy.spec?.claimRef;
    delete copy.metadata.annotations?.[BY_CONTROLLER];
    await client.update(refOf(PERSISTENT_VOLUMES, volume), copy);
  }

  async #volumePhase(volume: Volume, phase: string): Promise<Volume> {
    if (volume.status?.phase === phase) return volume;
    const { client, clock } = this.#context;
    const status = { ...volume.status, phase, lastPhaseTransitionTime: timestamp(clock.now()) };
    return await writeStatus(client, refOf(PERSISTENT_VOLUMES, volume), volume, status);
  }
}
