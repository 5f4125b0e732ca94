import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, errorMessage, type Logger, syncDirectory, systemCode } from "@boxship/base";
import type { ContentKeeper } from "@boxship/engine";
import type { Digest, StoredLayer } from "@boxship/oci";

/** A step that was done, under a key that says all that its result depends on. */
export interface StepRecord {
  readonly key: string;
  /** Of the step before it in its stage. */
  readonly parent?: string;
  /** The instruction. */
  readonly text: string;
  /** RFC 3339; what the image's history says, so that a step that is found gives the same image again. */
  readonly created: string;
  /** What it added to the file system; absent when nothing. */
  readonly layer?: StepLayer;
  /** Milliseconds since the epoch. */
  readonly made: number;
  readonly used: number;
  readonly uses: number;
}

export interface StepLayer extends StoredLayer {
  /** Of the layer and those below it, as they were when it was made. */
  readonly chainId: string;
  /** Bytes of the files' content. */
  readonly size: number;
}

/** Something that was computed from layers, which never change: it need not be computed again. */
interface Fact {
  readonly key: string;
  readonly value: unknown;
}

type Line =
  | { readonly put: StepRecord }
  | { readonly fact: Fact }
  | { readonly used: string; readonly at: number }
  | { readonly removed: string };

const FILE = "steps.jsonl";

export interface StepCacheOptions {
  /** A directory of its own. */
  readonly root: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The steps that builds have done, by key: a file to which changes are appended, and which is written afresh at open.
 *
 * Promises: a record is put after its layer is durable, so what is read back after a crash is whole; a line that was cut
 * off is dropped. What {@link flush} has returned for is durable.
 */
export class StepCache implements ContentKeeper {
  readonly #options: StepCacheOptions;
  readonly #steps = new Map<string, StepRecord>();
  readonly #facts = new Map<string, unknown>();
  readonly #inUse = new Map<string, number>();
  #pending = "";
  #writing: Promise<void> = Promise.resolve();

  private constructor(options: StepCacheOptions) {
    this.#options = options;
  }

  static async open(options: StepCacheOptions): Promise<StepCache> {
    const cache = new StepCache(options);
    await mkdir(options.root, { recursive: true, mode: 0o700 });
    await cache.#load();
    await cache.#rewrite();
    return cache;
  }

  get(key: string): StepRecord | undefined {
    return this.#steps.get(key);
  }

  list(): readonly StepRecord[] {
    return [...this.#steps.values()];
  }

  put(record: StepRecord): void {
    this.#steps.set(record.key, record);
    this.#append({ put: record });
  }

  /** Notes that a step was found and used. */
  touch(key: string): void {
    const record = this.#steps.get(key);
    if (record === undefined) return;
    const at = this.#options.clock.now();
    this.#steps.set(key, { ...record, used: at, uses: record.uses + 1 });
    this.#append({ used: key, at });
  }

  remove(key: string): void {
    if (this.#steps.delete(key)) this.#append({ removed: key });
  }

  fact(key: string): unknown {
    return this.#facts.get(key);
  }

  learn(key: string, value: unknown): void {
    this.#facts.set(key, value);
    this.#append({ fact: { key, value } });
  }

  forgetFacts(): void {
    this.#facts.clear();
  }

  isInUse(key: string): boolean {
    return this.#inUse.has(key);
  }

  /** Keeps a record from being pruned while a build relies on it. */
  use(key: string): Disposable {
    this.#inUse.set(key, (this.#inUse.get(key) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        const left = (this.#inUse.get(key) ?? 1) - 1;
        if (left === 0) this.#inUse.delete(key);
        else this.#inUse.set(key, left);
      },
    };
  }

  *chains(): Iterable<string> {
    for (const { layer } of this.#steps.values()) if (layer !== undefined) yield layer.chainId;
  }

  *blobs(): Iterable<Digest> {
    for (const { layer } of this.#steps.values()) if (layer !== undefined) yield layer.descriptor.digest;
  }

  /** Makes everything up to now durable. */
  flush(): Promise<void> {
    this.#writing = this.#writing.then(
      () => this.#write(),
      () => this.#write(),
    );
    return this.#writing;
  }

  #append(line: Line): void {
    this.#pending += `${JSON.stringify(line)}\n`;
  }

  async #write(): Promise<void> {
    const text = this.#pending;
    if (text === "") return;
    this.#pending = "";
    try {
      await using file = await open(join(this.#options.root, FILE), "a", 0o600);
      await file.appendFile(text);
      await file.datasync();
    } catch (error) {
      this.#pending = text + this.#pending;
      throw error;
    }
  }

  async #load(): Promise<void> {
    let text: string;
    try {
      text = await readFile(join(this.#options.root, FILE), "utf8");
    } catch (error) {
      if (systemCode(error) === "ENOENT") return;
      throw error;
    }
    for (const line of text.split("\n")) {
      if (line === "") continue;
      try {
        this.#replay(JSON.parse(line) as Line);
      } catch (error) {
        this.#options.logger.warn("a record of the build cache is not readable and is left out", {
          reason: errorMessage(error),
        });
      }
    }
  }

  #replay(line: Line): void {
    if ("put" in line) this.#steps.set(line.put.key, line.put);
    else if ("fact" in line) this.#facts.set(line.fact.key, line.fact.value);
    else if ("removed" in line) this.#steps.delete(line.removed);
    else {
      const record = this.#steps.get(line.used);
      if (record !== undefined) {
        this.#steps.set(line.used, { ...record, used: line.at, uses: record.uses + 1 });
      }
    }
  }

  async #rewrite(): Promise<void> {
    const { root } = this.#options;
    const lines: Line[] = [
      ...[...this.#steps.values()].map((put) => ({ put })),
      ...[...this.#facts].map(([key, value]) => ({ fact: { key, value } })),
    ];
    const fresh = join(root, `${FILE}.new`);
    await rm(fresh, { force: true });
    {
      await using file = await open(fresh, "wx", 0o600);
      await file.writeFile(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
      await file.sync();
    }
    await rename(fresh, join(root, FILE));
    await syncDirectory(root);
  }
}
