import { Internal } from "@boxship/base";
import type { ContainerRecord, PodRecord } from "@boxship/engine";
import type { ContainerConfig, PodSandboxConfig } from "./messages/config.ts";

/** What the CRI keeps with a pod of the engine. */
export interface PodDoor {
  readonly config: PodSandboxConfig;
  readonly runtimeHandler: string;
}

/** What it keeps with a container. */
export interface ContainerDoor {
  /** Without the environment, which the engine has. */
  readonly config: ContainerConfig;
  readonly logPath: string;
}

export function podDoor({ id, request }: PodRecord): PodDoor {
  return read(request, `pod ${id}`) as PodDoor;
}

export function containerDoor({ id, config }: Pick<ContainerRecord, "id" | "config">): ContainerDoor {
  return read(config, `container ${id}`) as ContainerDoor;
}

/** Every list looks at every door, but what holds one stays the same from state to state: each is parsed once. */
const known = new WeakMap<object, unknown>();

function read(holder: { readonly door?: string | undefined }, what: string): unknown {
  if (holder.door === undefined) throw new Internal(`${what} was not made by the CRI`);
  if (!known.has(holder)) known.set(holder, JSON.parse(holder.door));
  return known.get(holder);
}

export const nanoseconds = (milliseconds: number): bigint => BigInt(Math.round(milliseconds * 1e6));
