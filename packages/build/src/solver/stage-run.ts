import { setImmediate } from "node:timers/promises";
import { errorMessage, hideCredentials } from "@boxship/base";
import { expandWord, type Platform } from "@boxship/oci";
import { LayersLost } from "../cache/imported-cache.ts";
import type { StepLayer, StepRecord } from "../cache/step-cache.ts";
import type { ContextSource, Vertex } from "../contract.ts";
import { type CopyInstruction, parseTrigger, refuse, type Stage, type StageInstruction } from "../language/index.ts";
import { findImage, imageState, readPlatform, scratchState } from "./base-image.ts";
import { platformArgs } from "./build-args.ts";
import { buildError } from "./failure.ts";
import { ownCopy, variableIn, withEntry, withValues } from "./growing.ts";
import { pastStep } from "./history-cache.ts";
import { keyOf } from "./keys.ts";
import { layoutImage } from "./layout-image.ts";
import type { BuildSession } from "./session.ts";
import { DEFAULT_SHELL, imageIdOf, type StageState } from "./state.ts";
import { copy, type FindRoot } from "./steps/copy.ts";
import { metadata, placed } from "./steps/metadata.ts";
import { run } from "./steps/run.ts";
import type { Step } from "./steps/step.ts";
import { workdir } from "./steps/workdir.ts";

/** What a stage needs of the others. */
export interface StageNeeds {
  /** The vertex of an instruction; those of triggers are made when they are met. */
  readonly vertexOf: (instruction: StageInstruction | Stage["from"]) => Vertex | undefined;
  /** The stage that a `FROM` means, built; undefined when it means an image. */
  readonly stageOf: (name: string) => Promise<StageState> | undefined;
  readonly findRoot: FindRoot;
  /** Values of the `ARG`s before the first `FROM`. */
  readonly globalArgs: ReadonlyMap<string, string | undefined>;
  /** What `FROM` names, variables replaced. */
  readonly image: string;
  /** A context of that name, whose files are what the stage begins with. */
  readonly context: Exclude<ContextSource, { readonly kind: "image" | "empty" }> | undefined;
  /** Hears what the stage begins with. */
  readonly onBase: (state: StageState, triggers: readonly string[]) => void;
  /** Nothing is done on top of it before this resolves. */
  readonly checked: Promise<void> | undefined;
}

/** Builds one stage, one instruction after the other. */
export async function buildStage(session: BuildSession, stage: Stage, needs: StageNeeds): Promise<StageState> {
  let { state } = await begin(session, stage, needs);
  await needs.checked;
  for (const instruction of stage.instructions) {
    state = await perform(session, stage, instruction, state, needs);
    // Steps that only change the configuration wait for nothing, and there may be any number of them.
    await setImmediate();
  }
  return state;
}

async function begin(session: BuildSession, stage: Stage, needs: StageNeeds): Promise<{ readonly state: StageState }> {
  const vertex = needs.vertexOf(stage.from);
  const digest = vertex?.digest ?? "";
  return observed(session, stage.from, digest, async () => {
    const { state: start, triggers } = await baseOf(session, stage, needs, digest);
    needs.onBase(start, triggers);
    let state: StageState = { ...start, begun: begunWith(start) };
    const instructions = await Promise.all(triggers.map((trigger) => parseTrigger(trigger, needs.image)));
    const vertices = instructions.map((instruction, index) =>
      triggerVertex(session, stage, instruction, index, digest),
    );
    for (const [index, instruction] of instructions.entries()) {
      state = await perform(session, stage, instruction, state, needs, vertices[index]);
    }
    return { state, cached: true };
  });
}

function begunWith(start: StageState): NonNullable<StageState["begun"]> {
  const { layers, history } = start;
  const isNothing = layers.length === 0 && history.length === 0;
  return { layers: layers.length, history: history.length, image: isNothing ? undefined : imageIdOf(start) };
}

/** What a stage begins with, and the triggers that are to be run on it. */
async function baseOf(
  session: BuildSession,
  stage: Stage,
  needs: StageNeeds,
  vertex: string,
): Promise<{ readonly state: StageState; readonly triggers: readonly string[] }> {
  const platform = platformOf(session, stage, needs);
  const built = needs.stageOf(needs.image);
  if (built !== undefined) {
    const state = await built;
    const { OnBuild: triggers = [], ...config } = state.config;
    return { state: ownCopy({ ...state, config, args: new Map(), commandGiven: false }), triggers };
  }
  if (needs.context?.kind === "layout") {
    const { state, triggers } = imageState(await layoutImage(session, needs.context, platform));
    const { image: _image, ...rest } = state;
    return { state: rest, triggers };
  }
  if (needs.context !== undefined) return { state: await filesAsBase(session, stage, platform, needs), triggers: [] };
  if (needs.image === "scratch") return { state: scratchState(platform), triggers: [] };
  return imageState(await findImage(session, needs.image, platform, vertex));
}

/** A stage that begins with the files of a context, and an empty configuration. */
async function filesAsBase(
  session: BuildSession,
  stage: Stage,
  platform: Platform,
  needs: StageNeeds,
): Promise<StageState> {
  const { place } = stage.from;
  const instruction: CopyInstruction = {
    kind: "copy",
    text: `COPY --from=${needs.image} . /`,
    place,
    sources: ["."],
    destination: "/",
    heredocs: [],
    exclude: [],
    link: false,
    parents: false,
    from: needs.image,
  };
  const empty = scratchState(platform);
  const step = await copy(session, instruction, empty, needs.findRoot);
  const { state } = await execute(session, stage, instruction, empty, step);
  return state;
}

function platformOf(session: BuildSession, stage: Stage, needs: StageNeeds): Platform {
  const { platform } = stage.from;
  if (platform === undefined) return session.platform;
  const text = placed(stage.from as never, () =>
    expandWord(platform, (name) => needs.globalArgs.get(name), { escape: session.file.escape }),
  );
  return readPlatform(text);
}

/** Runs one step under its vertex: tells of start, end and failure. */
async function observed<T extends { readonly state: StageState; readonly cached: boolean }>(
  session: BuildSession,
  instruction: StageInstruction | Stage["from"],
  vertex: string,
  task: () => Promise<T>,
): Promise<T> {
  session.signal.throwIfAborted();
  session.emit({ kind: "started", vertex, time: session.now() });
  try {
    const result = await task();
    const imageId = shownId(result.state);
    session.emit({ kind: "completed", vertex, time: session.now(), cached: result.cached, imageId });
    return result;
  } catch (error) {
    if (session.signal.aborted) throw session.signal.reason;
    // The stage is begun again.
    if (error instanceof LayersLost) throw error;
    session.emit({ kind: "failed", vertex, time: session.now(), error: errorMessage(error) });
    throw explained(session, instruction, vertex, error);
  }
}

/** A document of so many steps is not written and hashed again for each of them. */
const MOST_STEPS_WITH_IDS = 1000;

/** The id that is shown after a step. */
function shownId(state: StageState): string {
  return state.history.length <= MOST_STEPS_WITH_IDS ? imageIdOf(state) : `sha256:${state.key}`;
}

/** A mistake of the user's with its place; anything else as it is. */
function explained(
  session: BuildSession,
  instruction: StageInstruction | Stage["from"],
  vertex: string,
  error: unknown,
): unknown {
  if (!(error instanceof Error) || !("code" in error) || error instanceof TypeError) return error;
  if (error.name === "BuildError" || error.name === "Internal" || error.name === "ContainerfileError") return error;
  const shell = session.parts.engine.options.confined === undefined;
  return buildError(session.file, instruction, vertex, error, { words: session.request.history ?? "classic", shell });
}

async function perform(
  session: BuildSession,
  stage: Stage,
  instruction: StageInstruction,
  state: StageState,
  needs: StageNeeds,
  trigger?: Vertex,
): Promise<StageState> {
  const vertex = trigger ?? needs.vertexOf(instruction);
  if (vertex === undefined) throw new TypeError(`${instruction.text} was not planned`);
  const { state: next } = await observed(session, instruction, vertex.digest, async () => {
    if (instruction.kind === "arg") return declareArgs(session, instruction, state, needs);
    const step = await plan(session, instruction, state, needs, vertex.digest);
    return execute(session, stage, instruction, state, step);
  });
  return next;
}

function triggerVertex(
  session: BuildSession,
  stage: Stage,
  instruction: StageInstruction,
  index: number,
  trigger: string,
): Vertex {
  const vertex: Vertex = {
    digest: `sha256:${keyOf("trigger", stage.index, index, instruction.text)}`,
    inputs: [],
    trigger,
    name: `[${stage.name ?? `stage-${stage.index}`}] ONBUILD ${hideCredentials(instruction.text)}`,
  };
  session.announce(vertex);
  return vertex;
}

function plan(
  session: BuildSession,
  instruction: Exclude<StageInstruction, { readonly kind: "arg" }>,
  state: StageState,
  needs: StageNeeds,
  vertex: string,
): Promise<Step> | Step {
  switch (instruction.kind) {
    case "run":
      return run(session, instruction, state, needs.findRoot, vertex);
    case "copy":
    case "add":
      return copy(session, instruction, state, needs.findRoot);
    case "workdir":
      return workdir(session, instruction, state);
    default:
      return metadata(instruction, state, session.file.escape);
  }
}

/** `ARG`: from here on the name has the value that the build was given, else that before the first `FROM`, else its own. */
function declareArgs(
  session: BuildSession,
  instruction: Extract<StageInstruction, { readonly kind: "arg" }>,
  state: StageState,
  needs: StageNeeds,
): { readonly state: StageState; readonly cached: boolean } {
  const { escape } = session.file;
  const builtIn = platformArgs(session.platform, session.request.target ?? "default");
  const shown: string[] = [];
  let { args } = state;
  const variables = (name: string) => variableIn(state.config.Env ?? [], name) ?? args.get(name);
  for (const { name: written, value } of instruction.args) {
    const name = placed(instruction, () => expandWord(written, variables, { escape }));
    const own = value === undefined ? undefined : placed(instruction, () => expandWord(value, variables, { escape }));
    const given = session.request.args ?? {};
    const asked = Object.hasOwn(given, name) ? given[name] : undefined;
    const inherited = own === undefined ? (needs.globalArgs.get(name) ?? builtIn.get(name)) : undefined;
    args = withValues(args, [[name, asked ?? own ?? inherited]]);
    shown.push(own === undefined ? name : `${name}=${own}`);
  }
  const text = `ARG ${shown.join(" ")}`;
  const key = keyOf(state.key, ...epochOf(session), text);
  const cache = session.parts.cache;
  const history = { classic: ` ${text}`, buildkit: text };
  const known =
    session.request.noCache === true
      ? undefined
      : (cache.get(key) ??
        session.imported.find(key) ??
        pastStep(session, instruction, state, createdBy(session, state, history)));
  const created = known?.created ?? session.created();
  session.journal.steps.set(key, { key, parent: state.key, text: hideCredentials(instruction.text), created });
  if (cache.get(key) === undefined)
    remember(session, { key, parent: state.key, text: hideCredentials(instruction.text), created });
  else hit(session, key);
  return {
    state: { ...withHistory(session, state, history, created, false), key, args },
    cached: known !== undefined,
  };
}

async function execute(
  session: BuildSession,
  stage: Stage,
  instruction: StageInstruction,
  state: StageState,
  step: Step,
): Promise<{ readonly state: StageState; readonly cached: boolean }> {
  const before = step.independent === true ? "independent" : state.key;
  const key = keyOf(before, ...epochOf(session), ...step.key);
  const stepKey = keyOf(state.key, key);
  const known = ignoresCache(session, stage)
    ? undefined
    : ((await usable(session, key)) ?? remembered(session, instruction, state, step, key));
  if (known !== undefined) {
    hit(session, key);
    session.journal.steps.set(key, known);
    return { state: { ...after(session, state, step, known.created, known.layer), key: stepKey }, cached: true };
  }
  const created = session.created();
  const record = { key, parent: state.key, text: hideCredentials(instruction.text), created };
  const done = (layer: StepLayer | undefined) => remember(session, layer === undefined ? record : { ...record, layer });
  const layer = step.run === undefined ? undefined : await step.run(done);
  if (step.run === undefined) done(undefined);
  session.journal.steps.set(key, layer === undefined ? record : { ...record, layer });
  return { state: { ...after(session, state, step, created, layer), key: stepKey }, cached: false };
}

/** What limits times is in what was made then, whatever else is the same. */
function epochOf({ epoch }: BuildSession): readonly unknown[] {
  return epoch === undefined ? [] : [{ epoch }];
}

function ignoresCache(session: BuildSession, stage: Stage): boolean {
  const { noCache = false } = session.request;
  if (typeof noCache === "boolean") return noCache;
  return noCache.some((name) => name.toLowerCase() === stage.name || name === String(stage.index));
}

/** A record whose layer is still here, or one of a cache that is imported. */
async function usable(session: BuildSession, key: string): Promise<StepRecord | undefined> {
  const { cache, engine } = session.parts;
  const record = cache.get(key);
  if (record === undefined) return session.imported.find(key);
  if (record.layer === undefined) return record;
  session.lease.add(record.layer.descriptor.digest);
  const blob = await engine.images.content.stat(record.layer.descriptor.digest);
  if (blob !== undefined) return record;
  cache.remove(key);
  return session.imported.find(key);
}

/** A step of an image that is here, which becomes one of the builder's own. */
function remembered(
  session: BuildSession,
  instruction: StageInstruction,
  state: StageState,
  step: Step,
  key: string,
): StepRecord | undefined {
  const past = pastStep(session, instruction, state, createdBy(session, step.apply(state), step.history));
  if (past === undefined) return undefined;
  remember(session, { key, parent: state.key, text: hideCredentials(instruction.text), ...past });
  return session.parts.cache.get(key);
}

function hit(session: BuildSession, key: string): void {
  session.owned.use(session.parts.cache.use(key));
  session.parts.cache.touch(key);
}

function remember(
  session: BuildSession,
  record: {
    readonly key: string;
    readonly parent: string;
    readonly text: string;
    readonly created: string;
    readonly layer?: StepLayer;
  },
): void {
  const now = session.now();
  session.parts.cache.put({ ...record, made: now, used: now, uses: 1 });
}

function after(
  session: BuildSession,
  state: StageState,
  step: Step,
  created: string,
  layer: StepLayer | undefined,
): StageState {
  const { descriptor, diffId } = layer ?? {};
  const added = descriptor === undefined || diffId === undefined ? [] : [{ descriptor, diffId }];
  const changed = withHistory(session, step.apply(state), step.history, created, added.length > 0);
  return { ...changed, layers: [...state.layers, ...added] };
}

function withHistory(
  session: BuildSession,
  state: StageState,
  words: Step["history"],
  created: string,
  hasLayer: boolean,
): StageState {
  const isBuildkit = session.request.history === "buildkit";
  const entry = {
    created,
    created_by: createdBy(session, state, words),
    ...(state.base.author === undefined ? {} : { author: state.base.author }),
    ...(isBuildkit ? { comment: "buildkit.dockerfile.v0" } : {}),
    ...(hasLayer ? {} : { empty_layer: true }),
  };
  const { image: _image, ...rest } = state;
  return { ...rest, created, history: withEntry(state.history, entry) };
}

/** How history words a step, `state` being the one after it. */
function createdBy(session: BuildSession, state: StageState, words: Step["history"]): string {
  if (session.request.history === "buildkit") return words.buildkit;
  const shell = (state.config.Shell ?? DEFAULT_SHELL).join(" ");
  return words.isCommand === true ? words.classic : `${shell} #(nop) ${words.classic}`;
}

/** Refuses a `FROM` that names nothing. */
export function checkImageName(stage: Stage, image: string): string {
  if (image !== "") return image;
  return refuse(
    stage.from.place,
    `base name (${stage.from.image}) should not be blank`,
    "give the ARG in it a default, or a value with --build-arg",
  );
}
