export * from "./compacted.ts";
export * from "./contract.ts";
export { type EtcdStoreOptions, openEtcdStore } from "./etcd/open-etcd-store.ts";
export { compareKeys, inRange, keyAfter, prefixRange } from "./key-range.ts";
export { openSqliteStore, type SqliteStore, type SqliteStoreOptions } from "./sqlite/open-sqlite-store.ts";
