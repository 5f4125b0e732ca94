import { rm } from "node:fs/promises";
import { join } from "node:path";
import { InvalidArgument, NotFound } from "@boxship/base";
import type { EngineContext } from "@boxship/engine";
import { expandWord } from "@boxship/oci";
import { removeTreeAway } from "@boxship/storage";
import { buildCache, cacheMountStore } from "../cache/build-cache.ts";
import { CacheMounts } from "../cache/cache-mounts.ts";
import { exportCaches } from "../cache/export-cache.ts";
import { importCaches } from "../cache/import-cache.ts";
import { LayersLost } from "../cache/imported-cache.ts";
import { StepCache } from "../cache/step-cache.ts";
import { type BuildCheck, startCheck } from "../check/build-check.ts";
import { callFile } from "../check/call-file.ts";
import { killRootedBelow } from "../confined/strays.ts";
import type {
  BuildCache,
  BuildRequest,
  BuildResult,
  CacheMountStore,
  CallResult,
  ContextSource,
  DescribeImage,
  ReportProgress,
  Solver,
} from "../contract.ts";
import { checkOutputs, exportResult } from "../export/export-result.ts";
import type { BuiltImage } from "../export/image-index.ts";
import { readIgnoreFile } from "../files/ignore.ts";
import { findStage, parseContainerfile, type Stage, type StageInstruction, showLines } from "../language/index.ts";
import { Turns } from "../turns.ts";
import { WorkingContainers } from "../working/working-containers.ts";
import { findImage, imageState, readPlatform } from "./base-image.ts";
import { PROXY_ARGS, platformArgs } from "./build-args.ts";
import { ContextSet, readOwnIgnore } from "./contexts.ts";
import { layoutImage } from "./layout-image.ts";
import { contextPaths, earlierStage, type Plan, planBuild, refuseLaterStage } from "./plan.ts";
import { type BuilderParts, BuildSession } from "./session.ts";
import { squashLayers } from "./squash-layers.ts";
import { buildStage, checkImageName } from "./stage-run.ts";
import type { StageState } from "./state.ts";
import type { FindRoot } from "./steps/copy.ts";
import { placed } from "./steps/metadata.ts";

/** The builder of one engine. Disposing it ends the builds that run, and waits for them. */
export class Builder implements Solver, AsyncDisposable {
  readonly cache: BuildCache;
  readonly mounts: CacheMountStore;
  /** For files of builds that are under way; emptied when the builder is opened. */
  readonly workDirectory: string;
  /** File systems that are changed by hand. */
  readonly working: WorkingContainers;
  readonly #parts: BuilderParts;
  readonly #keeping: DisposableStack;
  readonly #running = new Map<AbortController, Promise<unknown>>();

  private constructor(parts: BuilderParts, working: WorkingContainers, keeping: DisposableStack) {
    this.#parts = parts;
    this.working = working;
    this.#keeping = keeping;
    this.cache = buildCache(parts);
    this.mounts = cacheMountStore(parts);
    this.workDirectory = join(parts.root, "work");
  }

  /**
   * Opens the builder's state below the engine's; what builds left when their process ended is removed.
   *
   * @param options.describe for bills of materials. @default they are refused
   */
  static async open(engine: EngineContext, { describe }: { readonly describe?: DescribeImage } = {}): Promise<Builder> {
    const root = join(engine.options.root, "build");
    const { clock, logger } = engine;
    // Elsewhere the runtime ends containers that nobody knows.
    if (engine.options.confined !== undefined) await killRootedBelow(engine.options.root);
    await removeTreeAway(join(root, "work"));
    await rm(join(engine.options.runDir, "build"), { recursive: true, force: true });
    const [cache, mounts] = await Promise.all([
      StepCache.open({ root: join(root, "cache"), clock, logger }),
      CacheMounts.open({ root: join(root, "mounts"), clock, logger }),
    ]);
    const parts: BuilderParts = { engine, root, cache, mounts, describe };
    const working = await WorkingContainers.open(parts);
    using keeping = new DisposableStack();
    keeping.use(engine.images.keep(cache));
    keeping.use(engine.images.keep(working));
    // Layers and blobs of builds that were cut off belong to nobody.
    engine.background.run("removing what interrupted builds left", () => engine.images.sweep());
    return new Builder(parts, working, keeping.move());
  }

  build(request: BuildRequest, progress: ReportProgress, signal?: AbortSignal): Promise<BuildResult> {
    const controller = new AbortController();
    const both = signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]);
    const building = this.#parts.engine.images.writing(() => build(this.#parts, request, progress, both));
    this.#running.set(controller, building);
    return building.finally(() => this.#running.delete(controller));
  }

  async call(request: BuildRequest, call: string, signal = new AbortController().signal): Promise<CallResult> {
    const [platform] = (request.platforms ?? []).map(readPlatform);
    await using session = new BuildSession(this.#parts, request, () => {}, signal, platform);
    session.contexts = new ContextSet(session);
    return await callFile(session, call, () => readFile(session));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const controller of this.#running.keys()) controller.abort();
    await Promise.allSettled(this.#running.values());
    await this.working[Symbol.asyncDispose]();
    await this.#parts.cache.flush();
    this.#keeping[Symbol.dispose]();
  }
}

async function build(
  parts: BuilderParts,
  request: BuildRequest,
  progress: ReportProgress,
  signal: AbortSignal,
): Promise<BuildResult> {
  checkOutputs(request.outputs);
  const platforms = (request.platforms ?? []).map(readPlatform);
  await using owned = new AsyncDisposableStack();
  const sessions = (platforms.length === 0 ? [undefined] : platforms).map((platform) =>
    owned.use(new BuildSession(parts, request, progress, signal, platform)),
  );
  const built: BuiltImage[] = [];
  try {
    for (const session of sessions) built.push(await buildOne(session, built[0]?.session.contexts));
    const result = await exportResult(built);
    const told = await exportCaches(built);
    const [first] = sessions;
    if (first !== undefined) warnOfUnusedArgs(first);
    const warnings = sessions.flatMap((session) => session.warnings);
    return { ...result, warnings, metadata: { ...result.metadata, ...told } };
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  }
}

/** One platform. @param contexts those of another platform of the same build, which are the same */
async function buildOne(session: BuildSession, contexts: ContextSet | undefined): Promise<BuiltImage> {
  await importCaches(session);
  try {
    const state = withLabels(session, await solve(session, contexts));
    const { squash } = session.request;
    if (squash === undefined) return { session, state };
    return { session, state: await squashLayers(session, state, squash), steps: state };
  } catch (error) {
    if (session.file !== undefined) showLines(error, session.file.sources);
    throw error;
  }
}

async function solve(session: BuildSession, contexts = new ContextSet(session)): Promise<StageState> {
  session.contexts = contexts;
  await readFile(session);
  const globals = globalArgs(session);
  const images = new Map<Stage, string>();
  const imageOf = (stage: Stage) => {
    let image = images.get(stage);
    if (image === undefined) {
      const { escape } = session.file;
      const expanded = placed(stage.from as never, () =>
        expandWord(stage.from.image, (name) => globals.get(name), { escape }),
      );
      images.set(stage, (image = checkImageName(stage, expanded)));
    }
    return image;
  };
  const isContext = (name: string) => session.contexts.source(name) !== undefined;
  const target = findStage(session.file, session.request.target);
  const extra = labelSteps(session, target);
  if (extra.length > 0) {
    const stages = session.file.stages.map((stage) =>
      stage === target ? { ...stage, instructions: [...stage.instructions, ...extra] } : stage,
    );
    session.file = { ...session.file, stages };
  }
  const plan = await planBuild(session.file, session.request.target, imageOf, isContext);
  session.contexts.limit(contextPaths(plan.stages));
  const turns = new Turns();
  for (const vertex of [...plan.globals, ...plan.vertices.values()]) {
    if (turns.over) await turns.next();
    session.announce(vertex);
  }
  for (const { digest } of plan.globals) {
    session.emit({ kind: "started", vertex: digest, time: session.now() });
    session.emit({ kind: "completed", vertex: digest, time: session.now(), cached: true });
  }
  const check = contexts.isChecked ? undefined : startCheck(session);
  contexts.isChecked = true;
  try {
    return await new StageStates(session, plan, imageOf, globals, check).all();
  } finally {
    await check?.end();
  }
}

/** Whether anything is made of the result. */
function needsLayers({ outputs, cacheTo = [] }: BuildRequest): boolean {
  return outputs === undefined || outputs.some(({ kind }) => kind !== "none") || cacheTo.length > 0;
}

/** The stages of a build; each is built once, when the first asks for it. */
class StageStates {
  readonly #session: BuildSession;
  readonly #plan: Plan;
  readonly #imageOf: (stage: Stage) => string;
  readonly #globals: ReadonlyMap<string, string | undefined>;
  readonly #states = new Map<Stage, Promise<StageState>>();
  readonly #check: BuildCheck | undefined;

  constructor(
    session: BuildSession,
    plan: Plan,
    imageOf: (stage: Stage) => string,
    globals: ReadonlyMap<string, string | undefined>,
    check: BuildCheck | undefined,
  ) {
    this.#check = check;
    this.#session = session;
    this.#plan = plan;
    this.#imageOf = imageOf;
    this.#globals = globals;
  }

  /** Builds all that the target needs, side by side. The first failure ends the others, which are waited for. */
  async all(): Promise<StageState> {
    const building = this.#plan.stages.map((stage) =>
      this.get(stage).catch((error: unknown) => {
        this.#check?.failed(stage, error);
        this.#session.stop(error);
        throw error;
      }),
    );
    await Promise.allSettled(building);
    this.#session.signal.throwIfAborted();
    for (;;) {
      const state = await this.get(this.#plan.target);
      try {
        if (needsLayers(this.#session.request)) await this.#session.imported.fetch(state.layers);
        return state;
      } catch (error) {
        if (!(error instanceof LayersLost)) throw error;
      }
    }
  }

  get(stage: Stage): Promise<StageState> {
    const known = this.#states.get(stage);
    // A layer that a cache promised may have turned out to be lost meanwhile.
    const state =
      known === undefined
        ? this.#build(stage)
        : known.then((built) => (this.#session.imported.hasLost(built.layers) ? this.#rebuild(stage, known) : built));
    if (known === undefined) this.#states.set(stage, state);
    return state;
  }

  #rebuild(stage: Stage, before: Promise<StageState>): Promise<StageState> {
    if (this.#states.get(stage) === before) this.#states.set(stage, this.#build(stage));
    return this.get(stage);
  }

  /** Builds a stage; again, when a layer of a cache that it needs cannot be had. Each time one more is known to be lost. */
  async #build(stage: Stage): Promise<StageState> {
    for (;;) {
      try {
        return await this.#buildOnce(stage);
      } catch (error) {
        if (!(error instanceof LayersLost)) throw error;
      }
    }
  }

  #buildOnce(stage: Stage): Promise<StageState> {
    const { image, given, context } = this.#baseOf(stage);
    return buildStage(this.#session, stage, {
      vertexOf: (instruction) => this.#plan.vertices.get(instruction),
      stageOf: (name) => {
        if ((given && name === image) || this.#session.contexts.source(name) !== undefined) return undefined;
        const earlier = earlierStage(this.#session.file, stage, name);
        return earlier === undefined ? undefined : this.get(earlier);
      },
      findRoot: this.#rootFinder(stage),
      globalArgs: this.#globals,
      image,
      context,
      onBase: (state, triggers) => this.#check?.begun(stage, state, triggers),
      checked: this.#check?.gate,
    });
  }

  /** What a stage starts from: a context of that name goes before stages and images. */
  #baseOf(stage: Stage): {
    readonly image: string;
    readonly given: boolean;
    readonly context?: Exclude<ContextSource, { readonly kind: "image" | "empty" }>;
  } {
    const image = this.#imageOf(stage);
    const source = this.#session.contexts.source(image);
    switch (source?.kind) {
      case undefined:
        return { image, given: false };
      case "image":
        return { image: source.reference, given: true };
      case "empty":
        return { image: "scratch", given: true };
      default:
        return { image, given: true, context: source };
    }
  }

  #rootFinder(stage: Stage): FindRoot {
    return async (name) => {
      const session = this.#session;
      const source = session.contexts.source(name);
      if (source?.kind === "layout")
        return { layers: imageState(await layoutImage(session, source, session.platform)).state.layers };
      if (source !== undefined && source.kind !== "image") return { context: name };
      if (source === undefined) {
        const earlier = earlierStage(session.file, stage, name);
        if (earlier !== undefined) return { layers: (await this.get(earlier)).layers };
        if (session.request.history === "buildkit") refuseLaterStage(session.file, stage, name);
        if (/^\d+$/.test(name)) {
          throw new NotFound(`invalid from flag value ${name}: there is no stage ${name} before this one`, {
            remedy: "name a stage above, or an image",
          });
        }
      }
      if (name === "scratch") return { layers: [] };
      const record = await findImage(session, source?.reference ?? name, session.platform, "");
      return { layers: imageState(record).state.layers };
    };
  }
}

/** Values of the `ARG`s before the first `FROM`, and of the platform's. */
function globalArgs(session: BuildSession): ReadonlyMap<string, string | undefined> {
  const { file, request, platform } = session;
  const values = new Map<string, string | undefined>(platformArgs(platform, request.target ?? "default"));
  const given = request.args ?? {};
  for (const instruction of file.args) {
    for (const { name, value } of instruction.args) {
      const own =
        value === undefined
          ? undefined
          : placed(instruction, () => expandWord(value, (other) => values.get(other), { escape: file.escape }));
      const asked = Object.hasOwn(given, name) ? given[name] : undefined;
      values.set(name, asked ?? own ?? values.get(name));
    }
  }
  return values;
}

/** BuildKit's labels from outside are no step. */
function withLabels(session: BuildSession, state: StageState): StageState {
  const { labels = {}, history } = session.request;
  if (history !== "buildkit" || Object.keys(labels).length === 0) return state;
  const { image: _image, ...rest } = state;
  return { ...rest, config: { ...state.config, Labels: { ...state.config.Labels, ...labels } } };
}

/** The classic builder's are steps at the end of the target. */
function labelSteps(session: BuildSession, target: Stage): readonly StageInstruction[] {
  const { labels = {}, history } = session.request;
  if (history === "buildkit") return [];
  const { place } = target.instructions.at(-1) ?? target.from;
  const { escape } = session.file;
  const quoted = (text: string) => `"${text.replace(/["\\$`]/g, `${escape}$&`)}"`;
  return Object.entries(labels)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => ({
      kind: "label",
      place,
      text: `LABEL ${name}=${value}`,
      pairs: [[quoted(name), quoted(value)]],
    }));
}

function warnOfUnusedArgs(session: BuildSession): void {
  const { file, request } = session;
  const declared = new Set<string>();
  const all = [...file.args, ...file.stages.flatMap(({ instructions }) => instructions)];
  for (const instruction of all) {
    if (instruction.kind === "arg") for (const { name } of instruction.args) declared.add(name);
  }
  const unused = Object.keys(request.args ?? {}).filter((name) => {
    return !declared.has(name) && !PROXY_ARGS.has(name) && !IMPLICIT_ARGS.has(name);
  });
  if (unused.length === 0) return;
  const message = `One or more build-args [${unused.sort().join(" ")}] were not consumed`;
  session.warnings.push({ rule: "UnusedBuildArgs", message, file: file.stages[0]?.from.place.file ?? "" });
}

/** They mean something without an `ARG`. */
const IMPLICIT_ARGS = new Set([
  "SOURCE_DATE_EPOCH",
  "BUILDKIT_INLINE_CACHE",
  "BUILDKIT_CONTEXT_KEEP_GIT_DIR",
  "BUILDKIT_DOCKERFILE_CHECK",
]);

const DEFAULT_FILES = ["Dockerfile", "dockerfile", "Containerfile"];

/** Finds and reads the Containerfile, and the ignore file that belongs to it. */
async function readFile(session: BuildSession): Promise<void> {
  const { file } = session.request;
  if (file.kind === "bytes") {
    if (file.ignore !== undefined) session.contexts.setIgnore(readIgnoreFile(file.ignore));
    session.file = await parse(session, file.bytes, file.name);
    return;
  }
  const { path: root } = await session.contexts.main();
  for (const path of file.path === undefined || file.path === "" ? DEFAULT_FILES : [file.path]) {
    const bytes = await session.contexts.file(path);
    if (bytes === undefined) continue;
    const ignore = await readOwnIgnore(root, path);
    if (ignore !== undefined) await session.contexts.replaceIgnore(ignore);
    session.file = await parse(session, bytes, path);
    return;
  }
  const name = file.path ?? "Dockerfile";
  throw new InvalidArgument(`Cannot locate specified Dockerfile: ${name}`, {
    subject: { kind: "containerfile", name },
    remedy: "name it with --file, a path in the build context",
  });
}

function parse(session: BuildSession, bytes: Uint8Array, name: string) {
  session.source = { name, bytes };
  return parseContainerfile(bytes, { name, include: (path) => session.contexts.file(path) });
}
