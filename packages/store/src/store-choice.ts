import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage, FailedPrecondition, InvalidArgument, systemCode, writeFileAtomic } from "@boxship/base";
import type { Store } from "./contract.ts";
import { openEtcdStore } from "./etcd/open-etcd-store.ts";
import { openSqliteStore } from "./sqlite/open-sqlite-store.ts";

/** Where a cluster's state is. */
export type StoreChoice =
  | { readonly kind: "sqlite" }
  | {
      readonly kind: "etcd";
      readonly endpoints: readonly string[];
      /** Files of PEM: the authority of etcd's servers, our certificate and its key. */
      readonly ca?: string;
      readonly cert?: string;
      readonly key?: string;
    };

/** What `boxship up` and `boxship store` are told. */
export interface StoreFlags {
  readonly store?: string | undefined;
  readonly endpoints?: readonly string[] | undefined;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** The file of the SQLite store of a cluster. */
export const sqlitePath = (directory: string): string => join(directory, "state.db");

const choicePath = (directory: string): string => join(directory, "store.json");

/** @returns undefined where none was made yet */
export async function readStoreChoice(directory: string): Promise<StoreChoice | undefined> {
  try {
    return JSON.parse(await readFile(choicePath(directory), "utf8")) as StoreChoice;
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return undefined;
    throw new FailedPrecondition(`${choicePath(directory)} cannot be read: ${errorMessage(cause)}`, { cause });
  }
}

export async function writeStoreChoice(directory: string, choice: StoreChoice): Promise<void> {
  await writeFileAtomic(choicePath(directory), `${JSON.stringify(choice)}\n`, { mode: 0o600 });
}

/** @returns undefined where the flags name no store @throws InvalidArgument for flags that do not go together */
export function parseStoreChoice({ store, endpoints = [], ca, cert, key }: StoreFlags): StoreChoice | undefined {
  const given = endpoints.length > 0 || ca !== undefined || cert !== undefined || key !== undefined;
  if (store !== undefined && store !== "sqlite" && store !== "etcd") {
    throw new InvalidArgument(`there is no store ${JSON.stringify(store)}`, { remedy: "choose sqlite or etcd" });
  }
  if (store !== "etcd") {
    if (given)
      throw new InvalidArgument("addresses and certificates of etcd are for a store in etcd only", {
        remedy: "add --store etcd",
      });
    return store === undefined ? undefined : { kind: "sqlite" };
  }
  if (endpoints.length === 0) {
    throw new InvalidArgument("a store in etcd needs its addresses", {
      remedy: "add --etcd-endpoints https://host:2379",
    });
  }
  if ((cert === undefined) !== (key === undefined)) throw new InvalidArgument("--etcd-cert and --etcd-key go together");
  return {
    kind: "etcd",
    endpoints,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  };
}

/** @param directory of the cluster's state @throws InvalidArgument for files that cannot be read, Unavailable */
export async function openChosenStore(choice: StoreChoice, directory: string): Promise<Store> {
  if (choice.kind === "sqlite") return await openSqliteStore({ path: sqlitePath(directory), reserve: true });
  const { endpoints, ca, cert, key } = choice;
  const [authority, certificate, own] = await Promise.all([ca, cert, key].map(readPem));
  const tls = {
    ...(authority === undefined ? {} : { ca: authority }),
    ...(certificate === undefined ? {} : { certificate }),
    ...(own === undefined ? {} : { key: own }),
  };
  return await openEtcdStore({ endpoints, ...(Object.keys(tls).length === 0 ? {} : { tls }) });
}

async function readPem(path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path);
  } catch (cause) {
    throw new InvalidArgument(`${path} cannot be read: ${errorMessage(cause)}`, { cause });
  }
}

/** For people. */
export function describeStore(choice: StoreChoice): string {
  return choice.kind === "sqlite" ? "SQLite" : `etcd at ${choice.endpoints.join(", ")}`;
}
