import { renameSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { syncDirectory } from "@boxship/base";
import { FailedPrecondition, InvalidArgument, systemCode } from "@boxship/base/errors";
import type { LayerInfo, LayerStage } from "../contract.ts";
import { explainDiskError } from "../tree/disk-error.ts";
import type { LayerTable } from "./layer-table.ts";
import { RECORD_FILE } from "./record.ts";
import type { SyncGate } from "./sync-gate.ts";
import type { Trash } from "./trash.ts";

export interface StageContext {
  readonly table: LayerTable;
  readonly gate: SyncGate;
  readonly trash: Trash;
  /** The directory that holds the layers. */
  readonly layers: string;
  /** Told once, when the stage has been committed or given up. */
  readonly onEnd: (stage: OverlayStage) => void;
}

/**
 * A layer in preparation:
 *
 *     open ──commit──▶ committing ──▶ committed
 *       │                  │ failure
 *       └──────abort───────┴───────▶ aborted
 *
 * While it is open, or committing, it may be exposed.
 */
export class OverlayStage implements LayerStage {
  readonly chainId: string;
  readonly parentChainId: string | undefined;
  readonly #context: StageContext;
  readonly #path: string;
  readonly #parent: Promise<void>;
  readonly #settled = Promise.withResolvers<void>();
  #state: "open" | "committing" | "committed" | "aborted" = "open";
  #exposed = false;

  /**
   * @param path the stage's own directory, made already
   * @param parent settles with the parent's commit
   */
  constructor(
    context: StageContext,
    layer: Pick<LayerInfo, "chainId" | "parentChainId">,
    path: string,
    parent: Promise<void>,
  ) {
    this.#context = context;
    this.chainId = layer.chainId;
    this.parentChainId = layer.parentChainId;
    this.#path = path;
    this.#parent = parent;
    // Failures reach those who wait; when nobody does they are no news to the process.
    parent.catch(() => {});
    this.#settled.promise.catch(() => {});
  }

  static async make(path: string): Promise<void> {
    try {
      await mkdir(path, { mode: 0o700 });
      await mkdir(join(path, "diff"), { mode: 0o755 });
    } catch (error) {
      throw explainDiskError(error, path);
    }
  }

  get directory(): string {
    return join(this.#path, "diff");
  }

  /** Resolves when the layer is committed, rejects when the stage is given up. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  async lowerDirectories(): Promise<readonly string[]> {
    await this.#parent;
    return this.parentChainId === undefined ? [] : this.#context.table.directories(this.parentChainId);
  }

  expose(): void {
    if (this.#state !== "open") throw new InvalidArgument(`the preparation of layer ${this.chainId} has ended`);
    const layer = { ...this.#identity(), size: 0, created: Date.now() };
    this.#exposed = this.#context.table.expose({ layer, content: this.directory, settled: this.settled });
  }

  async commit(size: number): Promise<void> {
    if (this.#state !== "open") throw new InvalidArgument(`the preparation of layer ${this.chainId} has ended`);
    this.#state = "committing";
    try {
      await this.#commit({ ...this.#identity(), size, created: Date.now() });
    } catch (error) {
      await this.#giveUp(error);
      throw explainDiskError(error, this.#context.layers);
    }
    this.#state = "committed";
    this.#context.onEnd(this);
    this.#settled.resolve();
  }

  async abort(): Promise<void> {
    if (this.#state !== "open") return;
    await this.#giveUp(new FailedPrecondition(`the preparation of layer ${this.chainId} was given up`));
  }

  #identity() {
    const { chainId, parentChainId } = this;
    return { chainId, parentChainId };
  }

  async #commit(layer: LayerInfo): Promise<void> {
    const { table, gate, trash, layers } = this.#context;
    await writeFile(join(this.#path, RECORD_FILE), JSON.stringify(layer), { mode: 0o600 });
    // Content first, then the name: a layer that can be seen is whole.
    await Promise.all([gate.pass(), this.#parent]);
    // What another has exposed is mounted perhaps, so that one goes first.
    if (!this.#exposed) await table.exposed(this.chainId)?.settled.catch(() => {});
    if (table.get(this.chainId) === undefined) {
      try {
        // At once with the table: whoever asks for the layer's place meanwhile gets one that is there.
        renameSync(this.#path, table.directoryOf(this.chainId));
        if (this.#exposed) table.moved(this.chainId);
        await syncDirectory(layers);
        if (table.get(this.chainId) === undefined) table.add(layer);
        this.#conceal();
        return;
      } catch (error) {
        if (systemCode(error) !== "ENOTEMPTY" && systemCode(error) !== "EEXIST") throw error;
      }
    }
    // Another preparation of the same content was first.
    await trash.take(this.#path);
  }

  #conceal(): void {
    if (this.#exposed) this.#context.table.conceal(this.chainId);
    this.#exposed = false;
  }

  async #giveUp(reason: unknown): Promise<void> {
    this.#state = "aborted";
    this.#conceal();
    this.#context.onEnd(this);
    this.#settled.reject(reason);
    await this.#context.trash.take(this.#path);
  }
}
