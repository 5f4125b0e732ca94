import type { Clock } from "@boxship/base";
import type { Store } from "@boxship/store";
import type { RetiredTag } from "../open-registry.ts";
import { type CollectOptions, type RemovalWatcher, removeUnchanged, removeUntagged } from "../store/collect-garbage.ts";
import type { RegistryListener } from "../store/image-source.ts";
import type { compileRetention } from "./retention.ts";

const GRACE = 60 * 60 * 1000;

export interface RetainRequest {
  readonly index: Store;
  readonly outdated: ReturnType<typeof compileRetention>;
  readonly clock: Clock;
  readonly listener: RegistryListener | undefined;
  readonly watcher: RemovalWatcher;
  readonly repositories: CollectOptions["repositories"];
  /** @default false */
  readonly dryRun?: boolean;
  /** @default one hour */
  readonly grace?: number;
}

/** @returns the tags that went, or would go. One that is pushed at the same moment stays. */
export async function retainTags(request: RetainRequest): Promise<readonly RetiredTag[]> {
  const { index, outdated, clock, listener, watcher, repositories, dryRun = false, grace = GRACE } = request;
  const retired: RetiredTag[] = [];
  const now = clock.now();
  for (const item of await outdated(index, now)) {
    const { repository, tag, digest } = item;
    if (!dryRun) {
      if (!(await removeUnchanged(index, item, watcher.operations({ repository, tag })))) continue;
      watcher.removed(repository, 0);
      await listener?.untagged({ repository, tag });
    }
    retired.push({ repository, tag, digest });
  }
  const touched = new Set(retired.map(({ repository }) => repository));
  if (!dryRun && touched.size > 0) {
    await removeUntagged({ index, watcher, repositories, before: now - grace, within: (name) => touched.has(name) });
  }
  return retired;
}
