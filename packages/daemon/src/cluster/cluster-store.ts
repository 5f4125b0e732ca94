import { access } from "node:fs/promises";
import { FailedPrecondition } from "@boxship/base";
import {
  describeStore,
  openChosenStore,
  readStoreChoice,
  requireWhole,
  type Store,
  type StoreChoice,
  sqlitePath,
  writeStoreChoice,
} from "@boxship/store";
import type { ClusterOptions } from "./cluster-options.ts";

/**
 * Opens the store that the cluster's state is in. Which one that is was decided at the first start, and is changed by a
 * migration only: another one would be another cluster.
 *
 * @throws FailedPrecondition for another store than the one that has the state, and for one that is half filled
 */
export async function openClusterStore({ directory, store: asked, name }: ClusterOptions): Promise<Store> {
  const before = await readStoreChoice(directory);
  const choice: StoreChoice = asked ?? before ?? { kind: "sqlite" };
  const holder: StoreChoice | undefined =
    before ?? ((await exists(sqlitePath(directory))) ? { kind: "sqlite" } : undefined);
  if (holder !== undefined && holder.kind !== choice.kind) {
    throw new FailedPrecondition(`the cluster's state is in ${describeStore(holder)}`, {
      subject: { kind: "cluster", name },
      remedy: `move it by 'boxship store migrate --to ${choice.kind}'`,
    });
  }
  await using stack = new AsyncDisposableStack();
  const store = stack.use(await openChosenStore(choice, directory));
  if (choice.kind === "etcd") await requireWhole(store);
  // Other addresses of the same etcd may be given at any start.
  if (JSON.stringify(before) !== JSON.stringify(choice)) await writeStoreChoice(directory, choice);
  stack.move();
  return store;
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
