import { access } from "node:fs/promises";
import { NotFound, startWorker } from "@boxship/base";
import type { KeyRange, RangeOptions, RangeResult, Store } from "../contract.ts";
import { checkRange } from "../key-range.ts";
import { BatchClient } from "./batch.ts";
import type { ReadRequest } from "./protocol.ts";

/** A store's file, for reading, beside the process that has the store open, or without one. */
export interface SqliteReader extends Pick<Store, "range">, AsyncDisposable {
  /** Writes a copy of one moment, which is a store itself, while everything goes on. @throws AlreadyExists */
  backup(path: string): Promise<void>;
  /** What is wrong with the file, a line each; empty: nothing. */
  check(): Promise<readonly string[]>;
}

/** @throws NotFound where there is no such file */
export async function openSqliteReader(path: string): Promise<SqliteReader> {
  try {
    await access(path);
  } catch (cause) {
    throw new NotFound(`there is no store ${path}`, { cause, subject: { kind: "store", name: path } });
  }
  return readerOf(startReader(path));
}

export function startReader(path: string): BatchClient {
  return new BatchClient(
    startWorker("store-reader", new URL("./reader-worker.ts", import.meta.url), { workerData: { path } }),
    "store",
  );
}

export function readerOf(reader: BatchClient): SqliteReader {
  const ask = <T>(request: ReadRequest): Promise<T> => reader.send<T>(request);
  return {
    range(range: KeyRange, options: RangeOptions = {}): Promise<RangeResult> {
      checkRange(range);
      return ask<RangeResult>({ kind: "range", range, options });
    },
    async backup(path) {
      await ask({ kind: "backup", path });
    },
    check: () => ask<readonly string[]>({ kind: "check" }),
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
  };
}
