import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Semaphore } from "@boxship/base";
import type { EngineContext } from "@boxship/engine";
import { hostPlatform, type ImageRecord, type Lease, type Platform } from "@boxship/oci";
import { removeTreeAway } from "@boxship/storage";
import type { CacheMounts } from "../cache/cache-mounts.ts";
import { ImportedCache } from "../cache/imported-cache.ts";
import type { StepCache, StepRecord } from "../cache/step-cache.ts";
import type { BuildRequest, BuildWarning, DescribeImage, ProgressEvent, ReportProgress, Vertex } from "../contract.ts";
import type { Containerfile } from "../language/index.ts";
import { platformText } from "./build-args.ts";
import type { ContextSet } from "./contexts.ts";
import { openHistories } from "./history-cache.ts";
import { keyOf } from "./keys.ts";

/** What all builds share. */
export interface BuilderParts {
  readonly engine: EngineContext;
  /** The builder's own directory below the engine's. */
  readonly root: string;
  readonly cache: StepCache;
  readonly mounts: CacheMounts;
  readonly describe: DescribeImage | undefined;
}

/** What a build has found and made, for a cache that goes elsewhere. */
export interface Journal {
  /** By key. */
  readonly steps: Map<string, Omit<StepRecord, "made" | "used" | "uses">>;
  readonly facts: Map<string, string>;
}

/** One build while it runs. Disposing it gives back everything that it holds. */
export class BuildSession implements AsyncDisposable {
  readonly parts: BuilderParts;
  readonly request: BuildRequest;
  readonly signal: AbortSignal;
  readonly lease: Lease;
  readonly platform: Platform;
  /** Seconds since the epoch that no time in the result is later than. */
  readonly epoch: number | undefined;
  readonly warnings: BuildWarning[] = [];
  /** Names the build in statements about it. */
  readonly id = randomBytes(12).toString("hex");
  /** Milliseconds since the epoch. */
  readonly began: number;
  /** What was built from, as package URLs, with digests; an empty one is not known. */
  readonly materials = new Map<string, string>();
  /** The Containerfile, once it is read. */
  source: { readonly name: string; readonly bytes: Uint8Array } | undefined;
  /** Layers that are being made durable, and records that wait for it. */
  readonly commits = new Set<Promise<void>>();
  readonly owned = new AsyncDisposableStack();
  /** Commands that run at once. Other builds have their own: one whose commands never end keeps nobody waiting. */
  readonly slots = new Semaphore(Math.max(2, availableParallelism()));
  readonly imported: ImportedCache;
  readonly journal: Journal = { steps: new Map(), facts: new Map() };
  /** Images in whose history steps are looked for. */
  readonly histories: readonly ImageRecord[];
  file!: Containerfile;
  contexts!: ContextSet;
  readonly #isOneOfSeveral: boolean;
  readonly #report: ReportProgress;
  readonly #announced = new Set<string>();
  readonly #stop = new AbortController();

  constructor(
    parts: BuilderParts,
    request: BuildRequest,
    report: ReportProgress,
    signal: AbortSignal,
    platform: Platform | undefined,
  ) {
    this.parts = parts;
    this.request = request;
    this.#report = report;
    this.began = parts.engine.clock.now();
    this.signal = AbortSignal.any([signal, this.#stop.signal]);
    this.platform = platform ?? hostPlatform();
    this.#isOneOfSeveral = (request.platforms ?? []).length > 1;
    this.epoch = request.sourceDateEpoch ?? epochOf(request.args?.["SOURCE_DATE_EPOCH"]);
    this.lease = this.owned.use(parts.engine.images.content.lease());
    this.imported = new ImportedCache({
      store: parts.engine.images.content,
      lease: this.lease,
      cache: parts.cache,
      now: () => this.now(),
      signal: this.signal,
      warn: (message) => void this.warnings.push({ rule: "CacheImport", message }),
    });
    this.histories = openHistories(this);
  }

  now(): number {
    return this.parts.engine.clock.now();
  }

  /** When something is made, as the image will say. */
  created(): string {
    return new Date(this.epoch === undefined ? this.now() : this.epoch * 1000).toISOString();
  }

  /** Ends everything that goes on: something has failed. */
  stop(reason: unknown): void {
    this.#stop.abort(reason);
  }

  announce(vertex: Vertex): void {
    if (this.#announced.has(vertex.digest)) return;
    this.#announced.add(vertex.digest);
    this.emit({ kind: "vertex", vertex });
  }

  emit(event: ProgressEvent): void {
    void this.tell(event);
  }

  /** The same; a promise when whoever hears of it is behind. */
  tell(event: ProgressEvent): Promise<void> | void {
    return this.#report(this.#isOneOfSeveral ? ofPlatform(event, platformText(this.platform)) : event);
  }

  /** @param vertex empty for the Containerfile */
  warn(vertex: string, warning: BuildWarning): void {
    this.warnings.push(warning);
    this.emit({ kind: "warning", vertex, warning });
  }

  /** Something that was computed from layers before, here or where a cache comes from. */
  fact(key: string): string | undefined {
    const known = this.parts.cache.fact(key) ?? this.imported.fact(key);
    if (typeof known !== "string") return undefined;
    this.journal.facts.set(key, known);
    return known;
  }

  learn(key: string, value: string): void {
    this.journal.facts.set(key, value);
    this.parts.cache.learn(key, value);
  }

  /** A directory of this build, removed at its end. */
  async directory(): Promise<string> {
    const path = join(this.parts.root, "work", randomBytes(8).toString("hex"));
    await mkdir(path, { recursive: true, mode: 0o700 });
    this.owned.defer(() => removeTreeAway(path));
    return path;
  }

  /** Lets something be made durable while the build goes on; {@link settle} waits for it. */
  later(commit: Promise<void>): void {
    // Whoever waits for it hears of a failure.
    commit.catch(() => {});
    this.commits.add(commit);
  }

  /** Waits until every layer is durable. */
  async settle(): Promise<void> {
    await Promise.all(this.commits);
    await this.parts.cache.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.commits);
    try {
      await this.parts.cache.flush();
    } catch (error) {
      // The records stay in memory, and are written with the next ones; a full disk keeps nothing else from being let go of.
      this.parts.engine.logger.warn("the build cache could not be written", { error });
    }
    await this.owned.disposeAsync();
  }
}

/** Steps of several platforms are told apart by it. */
function ofPlatform(event: ProgressEvent, platform: string): ProgressEvent {
  if (event.vertex === "") return event;
  const digestOf = (digest: string) => `sha256:${keyOf(platform, digest)}`;
  if (event.kind !== "vertex") return { ...event, vertex: digestOf(event.vertex) };
  const { vertex } = event;
  return {
    kind: "vertex",
    vertex: {
      ...vertex,
      digest: digestOf(vertex.digest),
      inputs: vertex.inputs.map(digestOf),
      platform,
      ...(vertex.trigger === undefined ? {} : { trigger: digestOf(vertex.trigger) }),
    },
  };
}

function epochOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) : undefined;
}
