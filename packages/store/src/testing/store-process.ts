import { BoxshipError, postableError } from "@boxship/base";
import type { KeyRange, RangeOptions, Transaction, WatchBatch } from "../contract.ts";
import { openSqliteStore } from "../sqlite/open-sqlite-store.ts";

/** A store that is served over the channel to the parent, to be killed there at any moment. */
export type Asked =
  | { readonly id: number; readonly kind: "transact"; readonly transaction: Transaction }
  | { readonly id: number; readonly kind: "range"; readonly range: KeyRange; readonly options: RangeOptions }
  | { readonly id: number; readonly kind: "watch"; readonly range: KeyRange; readonly from: number };

export type Told =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: unknown }
  | { readonly id: number; readonly batch: WatchBatch };

if (process.send !== undefined) {
  const store = await openSqliteStore({ path: process.argv[2] ?? "" });
  const tell = (told: Told | { readonly ready: true }): void => void process.send?.(told);
  const answer = async (asked: Asked): Promise<unknown> => {
    if (asked.kind === "transact") return await store.transact(asked.transaction);
    if (asked.kind === "range") return await store.range(asked.range, asked.options);
    for await (const batch of store.watch(asked.range, { from: asked.from })) tell({ id: asked.id, batch });
    return undefined;
  };
  process.on("message", (asked: Asked) => {
    answer(asked).then(
      (result) => tell({ id: asked.id, result }),
      (error: unknown) =>
        tell({ id: asked.id, error: error instanceof BoxshipError ? postableError(error) : String(error) }),
    );
  });
  process.on("disconnect", () => process.exit(0));
  tell({ ready: true });
}
