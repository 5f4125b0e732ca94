import { Conflict, type Logger } from "@boxship/base";
import type { WorkQueue } from "./work-queue.ts";

export interface RunWorkersOptions<Item> {
  /** @default 1 */
  readonly workers?: number;
  readonly logger: Logger;
  /** Names an item in the log. @default String */
  readonly nameOf?: (item: Item) => string;
  /** Does what an item needs. What it throws is logged, and the item comes again after a wait. */
  readonly reconcile: (item: Item) => Promise<void>;
}

/** Works a queue off until it has ended. */
export async function runWorkers<Item>(queue: WorkQueue<Item>, options: RunWorkersOptions<Item>): Promise<void> {
  const { workers = 1 } = options;
  await Promise.all(Array.from({ length: workers }, () => work(queue, options)));
}

async function work<Item>(
  queue: WorkQueue<Item>,
  { reconcile, logger, nameOf = String }: RunWorkersOptions<Item>,
): Promise<void> {
  for (let item = await queue.take(); item !== undefined; item = await queue.take()) {
    try {
      await reconcile(item);
      queue.forget(item);
    } catch (error) {
      // Somebody else wrote meanwhile: the next look sees it.
      const level = error instanceof Conflict ? "debug" : "warn";
      logger[level]("reconciling failed and will be tried again", {
        item: nameOf(item),
        failures: queue.failures(item) + 1,
        error,
      });
      queue.addLimited(item);
    } finally {
      queue.done(item);
    }
  }
}
