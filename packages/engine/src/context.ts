import type { Clock, KeyedMutex, Logger, Timer } from "@boxship/base";
import { NotFound, Unavailable } from "@boxship/base";
import type { Snapshotter, VolumeStore } from "@boxship/storage";
import type { EngineNetwork } from "./confined/confined-network.ts";
import type { EngineRuntime } from "./confined/confined-runtime.ts";
import type { ContainerStore } from "./container/container-store.ts";
import type { Waiters } from "./container/container-wait.ts";
import { type LiveContainer, newLiveContainer } from "./container/live-container.ts";
import type { ContainerRecord } from "./container/record.ts";
import type { EventBus } from "./events.ts";
import type { ExecTable } from "./exec/exec-table.ts";
import type { Images } from "./image/images.ts";
import type { LogForwarding } from "./log/log-forwarding.ts";
import type { EngineOptions } from "./options.ts";
import type { PodStore } from "./pod/pod-store.ts";
import type { Remap } from "./remap/remap.ts";

/** What every verb of the engine works with. One per engine; verbs are functions of it. */
export interface EngineContext {
  readonly options: EngineOptions;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly runtime: EngineRuntime;
  readonly network: EngineNetwork;
  /** The user namespace of containers, where the configuration asks for one. */
  readonly remap: Remap | undefined;
  readonly snapshotter: Snapshotter;
  readonly volumeStore: VolumeStore;
  readonly images: Images;
  readonly containers: ContainerStore;
  readonly pods: PodStore;
  readonly waiters: Waiters;
  readonly events: EventBus;
  readonly execs: ExecTable;
  /** Serialises what changes a container, keyed by its id. */
  readonly locks: KeyedMutex;
  readonly live: Map<string, LiveContainer>;
  /** Names of volumes and ids of images that a container which is being made relies on. */
  readonly pins: Pins;
  readonly background: BackgroundTasks;
  readonly logForwarding: LogForwarding;
  /** Removed containers that could not be cleaned up yet, by id. */
  readonly stuckRemovals: Map<string, StuckRemoval>;
  /** The instance is being removed: nothing is made or started any more. */
  isBeingRemoved: boolean;
}

/** @throws Unavailable while the instance is being removed */
export function refuseWhileBeingRemoved({ isBeingRemoved, options }: EngineContext): void {
  if (!isBeingRemoved) return;
  throw new Unavailable(`instance ${options.name} is being removed`, {
    remedy: "wait until it is gone; the next command starts a new one",
  });
}

/** A removed container something of which is still there. */
export interface StuckRemoval {
  readonly record: ContainerRecord;
  readonly reason: string;
  /** The next attempt. */
  readonly timer: Timer;
}

/** Counted claims on things by name, for the time between looking one up and recording its use. */
export class Pins {
  readonly #counts = new Map<string, number>();

  has(name: string): boolean {
    return this.#counts.has(name);
  }

  take(name: string): Disposable {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        const left = (this.#counts.get(name) ?? 1) - 1;
        if (left === 0) this.#counts.delete(name);
        else this.#counts.set(name, left);
      },
    };
  }
}

/** Work that goes on after its answer was given: cleaning up. The engine waits for it when it closes. */
export class BackgroundTasks {
  readonly #running = new Set<Promise<void>>();
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** @param what for the log, should it fail */
  run(what: string, task: () => Promise<unknown>): void {
    const running = task().then(
      () => {},
      (error: unknown) => this.#logger.error(`${what} failed`, { error }),
    );
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
  }

  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}

/** The live half of a container; made when it is first asked for. */
export function liveOf(context: EngineContext, id: string): LiveContainer {
  const known = context.live.get(id);
  if (known !== undefined) return known;
  const made = newLiveContainer();
  context.live.set(id, made);
  return made;
}

/** The record as it is now, for code that has waited since it looked. @throws NotFound when it was removed meanwhile */
export function currentRecord(context: EngineContext, id: string): ContainerRecord {
  const record = context.containers.get(id);
  if (record === undefined) {
    throw new NotFound(`No such container: ${id}`, { subject: { kind: "container", name: id } });
  }
  return record;
}

/** Attributes that every event about a container carries. */
export function eventAttributes(record: ContainerRecord): Record<string, string> {
  return { ...record.effective.labels, image: record.config.image, name: record.name };
}
