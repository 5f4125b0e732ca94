import { isVolumeFor, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import { keyOf } from "@boxship/client";
import type { PodInfo } from "../pod/pod-info.ts";

/** A claim that a pod mounts. */
export interface UsedClaim {
  /** `namespace/name`. */
  readonly key: string;
  readonly name: string;
  /** The pod's own, made for it from a template. */
  readonly isOwn: boolean;
}

/** Claims of a pod's volumes; those of ephemeral volumes are named after pod and volume. */
export function claimsOf({ spec, namespace, pod }: PodInfo): readonly UsedClaim[] {
  return (spec.volumes ?? []).flatMap(({ name: volume, persistentVolumeClaim, ephemeral }): UsedClaim[] => {
    const own = ephemeral === undefined ? undefined : `${pod.metadata.name ?? ""}-${volume}`;
    const name = persistentVolumeClaim?.claimName ?? own;
    return name === undefined ? [] : [{ key: `${namespace}/${name}`, name, isOwn: own !== undefined }];
  });
}

/** Both sides say so: the claim names its volume, and the binding is complete. */
export const isBound = (claim: KubeObject): boolean =>
  claim.metadata.annotations?.["pv.kubernetes.io/bind-completed"] !== undefined;

/** What is to be written for a claim before its pod can be bound. */
export interface ClaimPlan {
  readonly claim: KubeObject;
  /** The volume that it gets; undefined: one is made for the node. */
  readonly volume?: KubeObject;
  readonly nodeName: string;
}

/** Claims, volumes and classes, and what the scheduler has decided of them that is not written yet. */
export class VolumeState {
  readonly #claims = new Map<string, KubeObject>();
  readonly #volumes = new Map<string, KubeObject>();
  readonly #classes = new Map<string, KubeObject>();
  /** How many volumes of each driver a node can have. */
  readonly #limits = new Map<string, ReadonlyMap<string, number>>();
  /** Volumes that are promised to claims, by the volume's name. */
  readonly #promised = new Map<string, string>();
  /** How many placed pods use a claim. */
  readonly #users = new Map<string, number>();
  readonly #listeners = new Set<() => void>();

  claim(key: string): KubeObject | undefined {
    return this.#claims.get(key);
  }

  volume(name: string): KubeObject | undefined {
    return this.#volumes.get(name);
  }

  class(name: string): KubeObject | undefined {
    return this.#classes.get(name);
  }

  /** Volumes that nobody has, and those that name this claim. */
  *freeFor(claim: KubeObject): Generator<KubeObject> {
    for (const volume of this.#volumes.values()) {
      const promisedTo = this.#promised.get(volume.metadata.name ?? "");
      if (promisedTo !== undefined && promisedTo !== keyOf(claim)) continue;
      const isFree = (valueAt(volume, "spec", "claimRef") ?? null) === null;
      if (isFree || isVolumeFor(volume, claim)) yield volume;
    }
  }

  limitOn(nodeName: string, driver: string): number {
    return this.#limits.get(nodeName)?.get(driver) ?? Number.POSITIVE_INFINITY;
  }

  usersOf(claimKey: string): number {
    return this.#users.get(claimKey) ?? 0;
  }

  countUse(pod: PodInfo, amount: 1 | -1): void {
    for (const { key } of claimsOf(pod)) {
      const users = this.usersOf(key) + amount;
      if (users === 0) this.#users.delete(key);
      else this.#users.set(key, users);
    }
  }

  setClaim(claim: KubeObject): void {
    this.#claims.set(keyOf(claim), claim);
    this.#tell();
  }

  removeClaim(claim: KubeObject): void {
    this.#claims.delete(keyOf(claim));
    this.#tell();
  }

  setVolume(volume: KubeObject): void {
    this.#volumes.set(keyOf(volume), volume);
  }

  removeVolume(volume: KubeObject): void {
    this.#volumes.delete(keyOf(volume));
  }

  setClass(one: KubeObject): void {
    this.#classes.set(keyOf(one), one);
  }

  removeClass(one: KubeObject): void {
    this.#classes.delete(keyOf(one));
  }

  setDrivers(csiNode: KubeObject): void {
    const drivers = listAt(csiNode, "spec", "drivers").flatMap((driver): [string, number][] => {
      const count = valueAt(driver, "allocatable", "count");
      return typeof count === "number" ? [[textAt(driver, "name"), count]] : [];
    });
    this.#limits.set(keyOf(csiNode), new Map(drivers));
  }

  removeDrivers(csiNode: KubeObject): void {
    this.#limits.delete(keyOf(csiNode));
  }

  promise(plans: readonly ClaimPlan[]): void {
    for (const { claim, volume } of plans) {
      if (volume !== undefined) this.#promised.set(keyOf(volume), keyOf(claim));
    }
  }

  takeBack(plans: readonly ClaimPlan[]): void {
    for (const { volume } of plans) if (volume !== undefined) this.#promised.delete(keyOf(volume));
  }

  /** Hears of each change of a claim. */
  onClaims(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
