import { hideCredentials, InvalidArgument } from "@boxship/base";
import type { Vertex } from "../contract.ts";
import type { Containerfile, Stage, StageInstruction } from "../language/index.ts";
import { findStage } from "../language/index.ts";
import { parseMount } from "../language/parse-mount.ts";
import { Turns } from "../turns.ts";
import { keyOf } from "./keys.ts";

/** The stages that a target needs, and the vertices of their instructions. */
export interface Plan {
  readonly target: Stage;
  /** In the order of the file, the target among them. */
  readonly stages: readonly Stage[];
  /** By the instruction, `FROM`s included. */
  readonly vertices: ReadonlyMap<StageInstruction | Stage["from"], Vertex>;
  /** Of the `ARG`s before the first `FROM`. */
  readonly globals: readonly Vertex[];
}

/** Instructions that change only the configuration. */
const FILE_KINDS = new Set(["from", "run", "copy", "add", "workdir"]);

/**
 * Finds out what has to be built. Stages that the target does not need are left out.
 *
 * @param imageOf what a stage's `FROM` names, variables replaced
 * @param isContext whether a name is that of a context, which goes before a stage
 */
export async function planBuild(
  file: Containerfile,
  target: string | undefined,
  imageOf: (stage: Stage) => string,
  isContext: (name: string) => boolean,
): Promise<Plan> {
  const last = findStage(file, target);
  const needed = new Set<Stage>();
  const visit = (stage: Stage): void => {
    if (needed.has(stage)) return;
    needed.add(stage);
    for (const name of [imageOf(stage), ...sourcesOf(stage)]) {
      const other = isContext(name) ? undefined : earlierStage(file, stage, name);
      if (other !== undefined) visit(other);
    }
  };
  visit(last);
  const stages = file.stages.filter((stage) => needed.has(stage));
  return { target: last, stages, ...(await verticesOf(file, stages, imageOf)) };
}

/** The stage before this one that a name or number means. */
export function earlierStage(file: Containerfile, stage: Stage, name: string): Stage | undefined {
  const wanted = name.toLowerCase();
  const earlier = file.stages.slice(0, stage.index);
  const named = earlier.findLast((other) => other.name === wanted);
  return named ?? (/^\d+$/.test(wanted) ? earlier[Number(wanted)] : undefined);
}

/** A stage reads from those above it: a name of itself or of one below is none of an image's, as in BuildKit. */
export function refuseLaterStage(file: Containerfile, stage: Stage, name: string): void {
  const wanted = name.toLowerCase();
  if (stage.name === wanted)
    throw new InvalidArgument(`circular dependency detected on stage: ${wanted}`, {
      remedy: "read from a stage above, or from an image",
    });
  if (!file.stages.slice(stage.index + 1).some((other) => other.name === wanted)) return;
  const own = stage.name ?? String(stage.index);
  throw new InvalidArgument(`stage "${wanted}" needs to be defined before current stage "${own}"`, {
    remedy: `move stage ${wanted} above it`,
  });
}

/** What instructions of a stage read from elsewhere. */
export function sourcesOf(stage: Stage): readonly string[] {
  return stage.instructions.flatMap((instruction) => {
    if (instruction.kind === "copy") return instruction.from === undefined ? [] : [instruction.from];
    if (instruction.kind !== "run") return [];
    return instruction.mounts.flatMap((mount) => {
      const from = /(?:^|,)from=([^,]*)/.exec(mount)?.[1];
      if (mount.includes("$")) return from === undefined ? [] : [from];
      const own = parseMount(mount, instruction.place).from;
      return own === undefined ? [] : [own];
    });
  });
}

/**
 * What stages read of the main context; undefined when that is not known before they are built: names with variables,
 * quotes, or patterns over directories.
 */
export function contextPaths(stages: readonly Stage[]): readonly string[] | undefined {
  const paths = stages.flatMap(({ instructions }) =>
    instructions.flatMap((instruction) => contextPathsOf(instruction)),
  );
  return paths.some((path) => path === undefined || /[$"'\\`]|\*\*/.test(path))
    ? undefined
    : (paths as readonly string[]);
}

function contextPathsOf(instruction: StageInstruction): readonly (string | undefined)[] {
  switch (instruction.kind) {
    case "copy":
    case "add":
      return instruction.from === undefined
        ? instruction.sources.filter((source) => !/^[a-z+]+:\/\/|^git@/.test(source))
        : [];
    case "run":
      return instruction.mounts.flatMap((text) => {
        if (text.includes("$")) return [undefined];
        const { type, from, source } = parseMount(text, instruction.place);
        return type === "bind" && from === undefined ? [source ?? "/"] : [];
      });
    default:
      return [];
  }
}

async function verticesOf(
  file: Containerfile,
  stages: readonly Stage[],
  imageOf: (stage: Stage) => string,
): Promise<Pick<Plan, "vertices" | "globals">> {
  const turns = new Turns();
  const vertices = new Map<StageInstruction | Stage["from"], Vertex>();
  const total = stages.reduce((sum, { instructions }) => sum + 1 + instructions.length, file.args.length);
  let number = 0;
  const globals = file.args.map(({ text, place }): Vertex => {
    number++;
    const digest = `sha256:${keyOf("vertex", number, text)}`;
    const step = { stage: "", number, total, text, lines: place.lines };
    return { digest, inputs: [], name: text, step, metadata: true };
  });
  for (const stage of stages) {
    const shown = [stage.from, ...stage.instructions].filter(({ kind }) => FILE_KINDS.has(kind)).length;
    let index = 0;
    let before: string | undefined;
    for (const instruction of [stage.from, ...stage.instructions]) {
      if (turns.over) await turns.next();
      number++;
      const isMetadata = !FILE_KINDS.has(instruction.kind);
      if (!isMetadata) index++;
      const digest = `sha256:${keyOf("vertex", number, instruction.text)}`;
      const words = hideCredentials(instruction.text);
      const text = instruction.kind === "from" ? `FROM ${imageOf(stage)}` : words;
      vertices.set(instruction, {
        digest,
        inputs: before === undefined ? [] : [before],
        name: isMetadata ? text : `${prefixOf(stage, stages.length, index, shown)} ${text}`,
        step: {
          stage: stage.name ?? String(stage.index),
          number,
          total,
          text: words,
          lines: instruction.place.lines,
        },
        ...(isMetadata ? { metadata: true } : {}),
      });
      before = digest;
    }
  }
  return { vertices, globals };
}

/** `[build 2/5]`; a stage without a name is called by its number where there are several. */
function prefixOf(stage: Stage, stages: number, index: number, total: number): string {
  const count = `${String(index).padStart(String(total).length)}/${total}`;
  if (stages === 1 && stage.name === undefined) return `[${count}]`;
  return `[${stage.name ?? `stage-${stage.index}`} ${count}]`;
}
