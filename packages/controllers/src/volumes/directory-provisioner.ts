import { chmod, mkdir, readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { type KubeObject, parseQuantity } from "@boxship/api";
import { AlreadyExists, asBoxshipError, NotFound, systemCode, Unsupported } from "@boxship/base";
import { keyOf } from "@boxship/client";
import type { ControllerContext, ControllerDefinition, Reconcile } from "../contract.ts";
import { isTerminating } from "../shared/pods.ts";
import { PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, refOf, STORAGE_CLASSES } from "../shared/resources.ts";
import { writeStatus } from "../shared/write-status.ts";
import type { Claim, StorageClass, Volume } from "../types/volumes.ts";
import { PROVISIONER, SELECTED_NODE } from "./claim-annotations.ts";

export interface DirectoryProvisionerOptions {
  /** Of the node: the directories of its volumes are made in it. */
  readonly directory: string;
  readonly nodeName: string;
  /** Takes away what is mounted at a directory and below it: a privileged container may have left what is not the volume's. */
  readonly releaseMounts: (directory: string) => Promise<unknown>;
  /**
   * Keeps a directory to so many bytes, where its file system can; 0 takes that back.
   *
   * @returns whether it is kept to them
   */
  readonly limit: (directory: string, bytes: bigint) => Promise<boolean>;
}

export const DIRECTORY_PROVISIONER = "boxship.io/directory";
/** Whether a file system keeps a volume to its size. */
const QUOTA = "boxship.io/quota";
const PROVISIONED_BY = "pv.kubernetes.io/provisioned-by";
/** Keeps a volume until its directory is gone. */
const FINALIZER = "boxship.io/volume-directory";
const DEFAULT_CLASS = "standard";
/** Keys; those of claims have a namespace. */
const START = "start:";
const VOLUME = "volume:";

/**
 * Makes a directory of a node for each claim of a class with the provisioner `boxship.io/directory`, and takes it away when its
 * volume is released and is to be deleted. On start it makes the class `standard`, which claims get that name none.
 *
 * A directory is there before its volume is, and the volume until its directory is gone: whoever is killed between goes on.
 */
export function directoryProvisioner(options: DirectoryProvisionerOptions): ControllerDefinition {
  return { name: DIRECTORY_PROVISIONER, open: (context) => new DirectoryProvisioner(context, options).reconcile };
}

class DirectoryProvisioner {
  readonly #context: ControllerContext;
  readonly #options: DirectoryProvisionerOptions;

  constructor(context: ControllerContext, options: DirectoryProvisionerOptions) {
    this.#context = context;
    this.#options = options;
    const { informers, queue } = context;
    const claimed = (claim: Claim): void => queue.add(keyOf(claim));
    const released = ({ spec }: Claim): void => queue.add(`${VOLUME}${spec?.volumeName}`);
    const claims = informers.of<Claim>(PERSISTENT_VOLUME_CLAIMS);
    claims.handle({ added: claimed, updated: claimed, deleted: released });
    const changed = (volume: Volume): void => queue.add(`${VOLUME}${volume.metadata.name}`);
    informers.of<Volume>(PERSISTENT_VOLUMES).handle({ added: changed, updated: changed });
    const filled = ({ metadata }: StorageClass): void => {
      for (const claim of claims.all()) if (claim.spec?.storageClassName === metadata.name) claimed(claim);
    };
    informers.of<StorageClass>(STORAGE_CLASSES).handle({ added: filled });
    queue.add(START);
  }

  readonly reconcile: Reconcile = async (key) => {
    const { informers } = this.#context;
    if (key === START) {
      await this.#start();
      return;
    }
    if (key.startsWith(VOLUME)) {
      const volume = informers.of<Volume>(PERSISTENT_VOLUMES).get(key.slice(VOLUME.length));
      if (volume !== undefined && this.#isOwn(volume)) await this.#release(volume);
      return;
    }
    const claim = informers.of<Claim>(PERSISTENT_VOLUME_CLAIMS).get(key);
    if (claim === undefined || isTerminating(claim)) return;
    if ((claim.spec?.volumeName ?? "") === "") await this.#provision(claim);
    else await this.#expand(claim);
  };

  async #start(): Promise<void> {
    const { client, informers } = this.#context;
    const { directory } = this.#options;
    await mkdir(directory, { recursive: true, mode: 0o711 });
    if (informers.of(STORAGE_CLASSES).get(DEFAULT_CLASS) === undefined) {
      await client.create(STORAGE_CLASSES, defaultClass()).catch((error: unknown) => {
        if (!(error instanceof AlreadyExists)) throw error;
      });
    }
    const claims = new Set([...informers.of(PERSISTENT_VOLUME_CLAIMS).all()].map(({ metadata }) => metadata.uid));
    for (const name of await readdir(directory)) {
      const [volume = ""] = name.split("_", 1);
      if (informers.of(PERSISTENT_VOLUMES).get(volume) !== undefined) continue;
      if (claims.has(volume.replace(/^pvc-/, ""))) continue;
      // Made for a claim that was gone before there was a volume; one with data in it is somebody's who kept it.
      await rmdir(join(directory, name)).catch(() => {});
    }
  }

  #classOf({ spec }: Claim): StorageClass | undefined {
    const found = this.#context.informers.of<StorageClass>(STORAGE_CLASSES).get(spec?.storageClassName ?? "");
    return found?.provisioner === DIRECTORY_PROVISIONER ? found : undefined;
  }

  /** One of ours: by what it says, and by where it is; who writes volumes by hand names no directory to be removed. */
  #isOwn({ metadata, spec }: Volume): boolean {
    const { namespace = "", name = "" } = spec?.claimRef ?? {};
    const path = this.#path(metadata.name ?? "", namespace, name);
    return metadata.annotations?.[PROVISIONED_BY] === DIRECTORY_PROVISIONER && spec?.local?.path === path;
  }

  #path(volume: string, namespace: string, name: string): string {
    return join(this.#options.directory, `${volume}_${namespace}_${name}`);
  }

  async #provision(claim: Claim): Promise<void> {
    const { client, events, informers } = this.#context;
    const { annotations = {}, namespace = "", name = "", uid = "" } = claim.metadata;
    const storageClass = this.#classOf(claim);
    if (storageClass === undefined || annotations[PROVISIONER] !== DIRECTORY_PROVISIONER) return;
    const node = annotations[SELECTED_NODE] ?? this.#options.nodeName;
    if (node !== this.#options.nodeName) return;
    const volume = `pvc-${uid}`;
    if (informers.of(PERSISTENT_VOLUMES).get(volume) !== undefined) return;
    try {
      refuse(claim, storageClass);
      events.record(
        claim,
        "Normal",
        "Provisioning",
        `External provisioner is provisioning volume for claim "${keyOf(claim)}"`,
      );
      const path = this.#path(volume, namespace, name);
      await mkdir(path, { recursive: true });
      // Whoever a pod runs as; nobody else of the node comes to it.
      await chmod(path, 0o777);
      const isLimited = await this.#options.limit(path, wholeBytes(sizeOf(claim)));
      await client.create(PERSISTENT_VOLUMES, this.#volumeFor(claim, storageClass, path, isLimited));
    } catch (error) {
      if (error instanceof AlreadyExists) return;
      const message = `failed to provision volume with StorageClass "${storageClass.metadata.name}": ${asBoxshipError(error).message}`;
      events.record(claim, "Warning", "ProvisioningFailed", message);
      if (!(error instanceof Unsupported)) throw error;
      // The scheduler looks for another node.
      if (annotations[SELECTED_NODE] === undefined) return;
      const metadata = {
        resourceVersion: claim.metadata.resourceVersion ?? "",
        annotations: { [SELECTED_NODE]: null },
      };
      await client.patch(refOf(PERSISTENT_VOLUME_CLAIMS, claim), "merge", { metadata });
      return;
    }
    events.record(claim, "Normal", "ProvisioningSucceeded", `Successfully provisioned volume ${volume}`);
  }

  #volumeFor(claim: Claim, storageClass: StorageClass, path: string, isLimited: boolean): KubeObject {
    const { metadata, spec } = claim;
    const { namespace = "", name = "", uid = "", resourceVersion = "" } = metadata;
    const values = [this.#options.nodeName];
    const matchExpressions = [{ key: "kubernetes.io/hostname", operator: "In", values }];
    return {
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: {
        name: `pvc-${uid}`,
        annotations: { [PROVISIONED_BY]: DIRECTORY_PROVISIONER, [QUOTA]: isLimited ? "enforced" : "none" },
        finalizers: [FINALIZER],
      },
      spec: {
        capacity: { storage: sizeOf(claim) },
        accessModes: spec?.accessModes ?? [],
        volumeMode: "Filesystem",
        persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? "Delete",
        storageClassName: storageClass.metadata.name ?? "",
        claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name, uid, resourceVersion },
        local: { path },
        nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions }] } },
      },
    };
  }

  /** A directory is as large as it is filled: its limit and the numbers are all that grows. */
  async #expand(claim: Claim): Promise<void> {
    const { client, events, informers } = this.#context;
    const volume = informers.of<Volume>(PERSISTENT_VOLUMES).get(claim.spec?.volumeName ?? "");
    const wanted = sizeOf(claim);
    if (claim.status?.phase !== "Bound" || volume === undefined || !this.#isOwn(volume)) return;
    if (bytes(wanted) <= bytes(claim.status.capacity?.["storage"])) return;
    if (volume.metadata.annotations?.[QUOTA] === "enforced")
      await this.#options.limit(volume.spec?.local?.path ?? "", wholeBytes(wanted));
    if (bytes(wanted) > bytes(volume.spec?.capacity?.["storage"])) {
      await client.patch(refOf(PERSISTENT_VOLUMES, volume), "merge", { spec: { capacity: { storage: wanted } } });
    }
    const status = { ...claim.status, capacity: { ...claim.status.capacity, storage: wanted } };
    await writeStatus(client, refOf(PERSISTENT_VOLUME_CLAIMS, claim), claim, status);
    events.record(claim, "Normal", "VolumeResizeSuccessful", "Resize volume succeeded");
  }

  async #release(volume: Volume): Promise<void> {
    const { client, events, informers } = this.#context;
    const { claimRef, persistentVolumeReclaimPolicy: policy } = volume.spec ?? {};
    const claim = informers.of<Claim>(PERSISTENT_VOLUME_CLAIMS).get(`${claimRef?.namespace}/${claimRef?.name}`);
    if (claim !== undefined && claim.metadata.uid === claimRef?.uid) return;
    if (!isTerminating(volume)) {
      if (volume.status?.phase !== "Released" || policy !== "Delete") return;
      const { uid = "" } = volume.metadata;
      await client.delete(refOf(PERSISTENT_VOLUMES, volume), { preconditions: { uid } });
      return;
    }
    const { finalizers = [], resourceVersion = "" } = volume.metadata;
    if (!finalizers.includes(FINALIZER)) return;
    try {
      if (policy === "Delete") await this.#remove(volume.spec?.local?.path ?? "");
    } catch (error) {
      events.record(volume, "Warning", "VolumeFailedDelete", asBoxshipError(error).message);
      throw error;
    }
    const metadata = { resourceVersion, finalizers: finalizers.filter((one) => one !== FINALIZER) };
    await client.patch(refOf(PERSISTENT_VOLUMES, volume), "merge", { metadata }).catch((error: unknown) => {
      if (!(error instanceof NotFound)) throw error;
    });
  }

  async #remove(directory: string): Promise<void> {
    await this.#options.releaseMounts(directory);
    await this.#options.limit(directory, 0n).catch((error: unknown) => {
      if (systemCode(error) !== "ENOENT") throw error;
    });
    await rm(directory, { recursive: true, force: true });
  }
}

const sizeOf = ({ spec }: Claim): string => spec?.resources?.requests?.["storage"] ?? "0";
const bytes = (text: string | undefined): bigint => parseQuantity(text ?? "")?.nano ?? 0n;
const NANO = 1_000_000_000n;
const wholeBytes = (text: string): bigint => (bytes(text) + NANO - 1n) / NANO;

/** @throws Unsupported for what a directory cannot be */
function refuse({ spec }: Claim, { parameters, mountOptions = [] }: StorageClass): void {
  if (spec?.volumeMode === "Block") throw new Unsupported("volumeMode Block is not supported");
  if (spec?.selector !== undefined) throw new Unsupported("claims with a selector are not supported");
  if (spec?.["dataSource"] !== undefined || spec?.["dataSourceRef"] !== undefined) {
    throw new Unsupported("volumes are not made from a dataSource");
  }
  const [parameter] = Object.keys(parameters ?? {});
  if (parameter !== undefined) throw new Unsupported(`the class's parameter ${parameter} is not supported`);
  if (mountOptions.length > 0) throw new Unsupported("the class's mountOptions are not supported");
}

function defaultClass(): KubeObject {
  return {
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: { name: DEFAULT_CLASS, annotations: { "storageclass.kubernetes.io/is-default-class": "true" } },
    provisioner: DIRECTORY_PROVISIONER,
    reclaimPolicy: "Delete",
    volumeBindingMode: "WaitForFirstConsumer",
    allowVolumeExpansion: true,
  };
}
