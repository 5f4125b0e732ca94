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
  return parse(request.door, `pod ${id}`) as PodDoor;
}

export function containerDoor({ id, config }: Pick<ContainerRecord, "id" | "config">): ContainerDoor {
  return parse(config.door, `container ${id}`) as ContainerDoor;
}

function parse(text: string | undefined, what: string): unknown {
  if (text === undefined) throw new Internal(`${what} was not made by the CRI`);
  return JSON.parse(text);
}

export const nanoseconds = (milliseconds: number): bigint => BigInt(Math.round(milliseconds * 1e6));
