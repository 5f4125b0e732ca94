import type { Platform } from "@boxship/oci";
import { type Containerfile, findStage, parseTrigger, type Stage } from "../language/index.ts";
import { platformArgs } from "../solver/build-args.ts";
import { earlierStage, sourcesOf } from "../solver/plan.ts";
import { Turns } from "../turns.ts";
import { type CheckedFrom, checkBasePlatform, checkStageFrom } from "./check-from.ts";
import { checkInstruction, type StageNeeds } from "./check-instruction.ts";
import { checkDefaults, checkFile, checkInstructions } from "./check-source.ts";
import type { Findings } from "./findings.ts";
import { type ArgInfo, type GlobalArgs, readGlobalArgs } from "./global-args.ts";
import { IgnoredSources } from "./ignored-sources.ts";
import { type CheckedBase, NOTHING, StageScope } from "./stage-scope.ts";

export interface CheckRequest {
  readonly file: Containerfile;
  readonly target: string | undefined;
  readonly args: Readonly<Record<string, string | undefined>>;
  readonly platform: Platform;
  /** Of the main context's ignore file. */
  readonly ignore: () => Promise<readonly string[]>;
  /** Look at stages that the target does not need, too. */
  readonly allStages: boolean;
  readonly isContext: (name: string) => boolean;
  /** What a stage begins with that is on top of an image or a context. */
  readonly baseOf: (stage: Stage, from: CheckedFrom) => Promise<CheckedBase>;
}

/** A stage that was looked at. */
export interface CheckedStage {
  readonly stage: Stage;
  readonly needs: StageNeeds;
  readonly base: CheckedStage | undefined;
  /** Stages that it reads from. */
  readonly reads: readonly CheckedStage[];
}

/** What a look at a file found, beside what the rules did. */
export interface CheckedFile {
  readonly globals: GlobalArgs;
  readonly target: CheckedStage;
}

/**
 * Applies the rules to a file without building it.
 *
 * @throws ContainerfileError for what a build would not do either
 */
export async function checkContainerfile(request: CheckRequest, findings: Findings): Promise<CheckedFile> {
  const { file, target, args, platform, isContext } = request;
  await checkInstructions(file, findings);
  await checkFile(file, findings);
  const builtIn = platformArgs(platform, target === undefined || target === "" ? defaultTarget(file) : target);
  checkDefaults(file, builtIn, findings);
  const globals = readGlobalArgs(file, builtIn, args);
  const froms = new Map(
    file.stages.map((stage) => [stage, checkStageFrom(file, stage, globals, platform, findings)] as const),
  );
  const last = findStage(file, target);
  const others = (stage: Stage): readonly Stage[] =>
    [froms.get(stage)?.image ?? "", ...sourcesOf(stage)].flatMap((name) => {
      const other = isContext(name) ? undefined : earlierStage(file, stage, name);
      return other === undefined ? [] : [other];
    });
  const wanted = request.allStages ? new Set(file.stages) : reachable(last, others);
  const walk = new StageWalk(request, globals, findings, new IgnoredSources(await request.ignore()));
  for (const [stage, from] of froms) if (wanted.has(stage)) await walk.visit(stage, from, others(stage));
  const checked = walk.checked.get(last);
  if (checked === undefined) throw new TypeError("the target was not looked at");
  return { globals, target: checked };
}

const defaultTarget = (file: Containerfile): string => file.stages.at(-1)?.name ?? "default";

function reachable(last: Stage, others: (stage: Stage) => readonly Stage[]): ReadonlySet<Stage> {
  const found = new Set([last]);
  for (const stage of found) for (const other of others(stage)) found.add(other);
  return found;
}

class StageWalk {
  readonly checked = new Map<Stage, CheckedStage>();
  readonly #request: CheckRequest;
  readonly #globals: GlobalArgs;
  readonly #findings: Findings;
  readonly #ignored: IgnoredSources;
  readonly #scopes = new Map<Stage, StageScope>();

  constructor(request: CheckRequest, globals: GlobalArgs, findings: Findings, ignored: IgnoredSources) {
    this.#request = request;
    this.#globals = globals;
    this.#findings = findings;
    this.#ignored = ignored;
  }

  /** @param others stages that it is made of, which were visited before */
  async visit(stage: Stage, from: CheckedFrom, others: readonly Stage[]): Promise<void> {
    const { file, isContext, args: given } = this.#request;
    const base = isContext(from.image) ? undefined : earlierStage(file, stage, from.image);
    const { scope, triggers } = await this.#begin(stage, from, base);
    const needs: StageNeeds = {
      args: new Map<string, ArgInfo>(this.#globals.infos),
      used: new Set(from.used),
      secrets: new Map(),
      agents: new Map(),
    };
    const check = {
      scope,
      needs,
      globals: this.#globals,
      given,
      escape: file.escape,
      ignored: this.#ignored,
      findings: this.#findings,
      once: new Map(),
    };
    for (const trigger of triggers) {
      const parsed = await parseTrigger(trigger, from.image);
      checkInstruction({ ...parsed, place: stage.from.place }, check);
    }
    const turns = new Turns();
    for (const instruction of stage.instructions) {
      if (turns.over) await turns.next();
      checkInstruction(instruction, check);
    }
    this.#scopes.set(stage, scope);
    const reads = others.flatMap((other) => this.checked.get(other) ?? []);
    this.checked.set(stage, { stage, needs, reads, base: base === undefined ? undefined : this.checked.get(base) });
  }

  async #begin(
    stage: Stage,
    from: CheckedFrom,
    base: Stage | undefined,
  ): Promise<{ readonly scope: StageScope; readonly triggers: readonly string[] }> {
    const below = base === undefined ? undefined : this.#scopes.get(base);
    if (below !== undefined) return { scope: new StageScope(below), triggers: below.triggers };
    const isNothing = from.image === "scratch" && !this.#request.isContext(from.image);
    const found = isNothing ? NOTHING : await this.#request.baseOf(stage, from);
    checkBasePlatform(stage, from, found.platform, this.#findings);
    return { scope: new StageScope(found), triggers: found.triggers };
  }
}
