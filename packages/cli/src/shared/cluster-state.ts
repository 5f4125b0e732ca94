import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { clusterDirectory } from "@boxship/base/cluster-record";
import { instanceDirectories } from "@boxship/base/instance-directories";
import { tryLockFile } from "@boxship/kernel";
import { readStoreChoice, type StoreChoice } from "@boxship/store";
import { type Context, print } from "../context.ts";
import { Failure } from "../failure.ts";
import type { Instance } from "../instance.ts";

/** Where the cluster of an instance keeps its state. */
export function stateDirectory({ name, root }: Instance): string {
  return clusterDirectory(resolve(root ?? instanceDirectories(name, { env: process.env }).root));
}

/** The store that the state is in. */
export async function currentStore(directory: string): Promise<StoreChoice> {
  return (await readStoreChoice(directory)) ?? { kind: "sqlite" };
}

/** Fewer are there before anybody wonders. */
const MANY_REVISIONS = 50_000;

/** Says why it takes so long to raise a store's revision. */
export function tellOf(context: Context): (missing: number) => void {
  return (missing) => {
    if (missing < MANY_REVISIONS) return;
    print(context, `Raising the revision by ${missing}, one at a time: no revision may be used twice`);
  };
}

/** Keeps the cluster from starting. @throws Failure where it runs */
export function holdCluster(directory: string): Disposable {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const lock = tryLockFile(join(directory, "lock"));
  if (lock !== undefined) return lock;
  throw new Failure("the cluster is running", { remedy: "stop it first: boxship down" });
}
