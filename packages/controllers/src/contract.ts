import type { KubeObject } from "@boxship/api";
import type { Clock, Logger } from "@boxship/base";
import type { ApiClient, EventType, WorkQueue } from "@boxship/client";
import type { SharedInformers } from "./frame/shared-informers.ts";

/**
 * What a controller promises, and what it may count on.
 *
 * - It is asked for a key, never told of an event: it reads the caches, compares, and acts. What is not there any more
 *   is a success.
 * - Where nothing has to change it writes nothing.
 * - It may throw: the key comes again after a wait that grows. A conflict is such a failure like any other.
 * - A key is worked on by one worker at a time.
 * - A write resolves when the controller's own cache has it: the next look never misses what this one did, so that
 *   nobody counts what he expects to see.
 * - Whoever writes for the same key again and again is slowed down, see `frame/pace.ts`.
 */
export type Reconcile = (key: string) => Promise<void>;

/** Calls that a controller makes. Writes resolve when the cache of their collection, if there is one, has them. */
export type ControllerClient = Pick<ApiClient, "create" | "delete" | "get" | "getRaw" | "list" | "patch" | "update">;

/** Where a controller tells what it did and what is wrong. */
export interface EventSink {
  record(about: KubeObject, type: EventType, reason: string, message: string): void;
}

export interface ControllerContext {
  readonly client: ControllerClient;
  readonly informers: SharedInformers;
  readonly events: EventSink;
  /** Its keys. Handlers of informers add to it. */
  readonly queue: WorkQueue<string>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface ControllerDefinition {
  /** As events name it, e.g. `deployment-controller`. */
  readonly name: string;
  /** Keys that are worked on at once. @default 5 */
  readonly workers?: number;
  /** Names the informers that it needs, and listens to them; they are not started yet. */
  open(context: ControllerContext): Reconcile;
}
