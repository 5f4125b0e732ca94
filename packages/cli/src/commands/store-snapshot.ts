import { access, rename, rm } from "node:fs/promises";
import { resolve } from "node:path";
import {
  copyStore,
  openChosenStore,
  openSqliteReader,
  openSqliteStore,
  type StoreChoice,
  sqlitePath,
} from "@boxship/store";
import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { currentStore, stateDirectory } from "../shared/cluster-state.ts";

export const command = defineCommand({
  usage: "FILE",
  summary: "Write a copy of the cluster's state at one moment",
  flags: {},
  operands: { min: 1, max: 1 },
  completes: "file",
  async run(context, { operands: [file = ""] }) {
    const target = resolve(file);
    const directory = stateDirectory(context.instance);
    const { keys, revision } = await snapshot(await currentStore(directory), directory, target);
    print(context, `${target} holds the ${keys} keys of revision ${revision}`);
    print(context, `Secrets in it are sealed: they are read with ${directory}/secrets.keys only`);
  },
});

async function snapshot(choice: StoreChoice, directory: string, target: string) {
  if (choice.kind === "sqlite") {
    await using reader = await openSqliteReader(sqlitePath(directory));
    await reader.backup(target);
  } else await copyHere(choice, directory, target);
  await using written = await openSqliteReader(target);
  const { count, revision } = await written.range({ start: "", end: "" }, { countOnly: true });
  return { keys: count, revision };
}

/** A store in etcd becomes one in a file: the same snapshot, wherever it is restored. */
async function copyHere(choice: StoreChoice, directory: string, target: string): Promise<void> {
  if (
    await access(target).then(
      () => true,
      () => false,
    )
  )
    throw new Failure(`${target} exists already`);
  const partial = `${target}.partial`;
  const remove = () => Promise.all(["", "-wal", "-shm"].map((part) => rm(partial + part, { force: true })));
  await remove();
  try {
    await using from = await openChosenStore(choice, directory);
    await using to = await openSqliteStore({ path: partial });
    await copyStore(from, to);
  } catch (error) {
    await remove();
    throw error;
  }
  await rename(partial, target);
}
