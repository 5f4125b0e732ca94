export * from "./compacted.ts";
export * from "./contract.ts";
export { type CopyOptions, type CopyResult, copyStore, requireWhole } from "./copy-store.ts";
export { type EtcdStoreOptions, openEtcdStore } from "./etcd/open-etcd-store.ts";
export { compareKeys, inRange, keyAfter, prefixRange } from "./key-range.ts";
export { type MemoryStoreOptions, openMemoryStore } from "./memory/open-memory-store.ts";
export { followRevisions, type NewestRevisions, type NewestRevisionsOptions } from "./newest-revisions.ts";
export { SortedKeys } from "./sorted-keys.ts";
export { openSqliteReader, type SqliteReader } from "./sqlite/open-sqlite-reader.ts";
export { openSqliteStore, type SqliteStore, type SqliteStoreOptions } from "./sqlite/open-sqlite-store.ts";
export {
  openSnapshot,
  type RestoreOptions,
  type RestoreResult,
  removeStore,
  restoreSqliteStore,
} from "./sqlite/restore-sqlite-store.ts";
export {
  describeStore,
  openChosenStore,
  parseStoreChoice,
  readStoreChoice,
  type StoreChoice,
  type StoreFlags,
  sqlitePath,
  writeStoreChoice,
} from "./store-choice.ts";
