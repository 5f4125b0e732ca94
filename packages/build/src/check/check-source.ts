import { parseReference } from "@boxship/oci";
import type {
  ArgInstruction,
  Containerfile,
  FromInstruction,
  Place,
  Stage,
  StageInstruction,
} from "../language/index.ts";
import type { Findings } from "./findings.ts";
import { readGlobalArgs } from "./global-args.ts";
import { expandKnown } from "./variables.ts";

/** The first word of an instruction, as it was written. */
export const keywordOf = ({ text }: { readonly text: string }): string => /^\S+/.exec(text)?.[0] ?? "";

/** Rules about how instructions are written, each for itself. */
export function checkInstructions(file: Containerfile, findings: Findings): void {
  for (const { rule, message, place } of file.warnings)
    if (rule === "NoEmptyContinuation") findings.add(rule, place, message);
  for (const arg of file.args) checkArgComment(arg, findings);
  for (const { from, instructions } of file.stages) {
    checkFrom(from, findings);
    for (const instruction of instructions) {
      if (instruction.kind === "arg") checkArgComment(instruction, findings);
      else if (instruction.kind === "maintainer") {
        const message = "Maintainer instruction is deprecated in favor of using label";
        findings.add("MaintainerDeprecated", instruction.place, message, instruction.comments);
      }
    }
  }
}

function checkFrom(from: FromInstruction, findings: Findings): void {
  const { name, as = "", place, comments } = from;
  if (name === undefined) return;
  const lower = name.toLowerCase();
  if (name !== lower) findings.add("StageNameCasing", place, `Stage name '${name}' should be lowercase`, comments);
  const keyword = keywordOf(from);
  const wanted = casingOf(keyword);
  if (wanted !== undefined && as !== inCasing(as, wanted))
    findings.add("FromAsCasing", place, `'${as}' and '${keyword}' keywords' casing do not match`, comments);
  checkComment("FROM", [lower], from, findings);
}

function checkArgComment(instruction: ArgInstruction, findings: Findings): void {
  const names = instruction.args.map(({ name }) => name);
  checkComment("ARG", names, instruction, findings);
}

/** The last comment above begins with one of the names. */
function checkComment(
  keyword: string,
  names: readonly string[],
  { place, comments = [] }: { readonly place: Place; readonly comments?: readonly string[] },
  findings: Findings,
): void {
  const comment = comments.at(-1);
  if (comment === undefined || names.includes(comment.split(" ", 1)[0] ?? "")) return;
  const example = names.length > 1 ? "<arg_key>" : names[0];
  const message = `Comment for ${keyword} should follow the format: \`# ${example} <description>\``;
  findings.add("InvalidDefinitionDescription", place, message, comments);
}

const RESERVED = new Set(["context", "scratch"]);

/** Rules about stages as a whole: their names, and one casing for all instructions. */
export function checkFile(file: Containerfile, findings: Findings): void {
  const names = new Set<string>();
  for (const { name, from } of file.stages) {
    if (name === undefined) continue;
    const quoted = JSON.stringify(name);
    if (RESERVED.has(name)) {
      const message = `Stage name should not use the same name as reserved stage ${quoted}`;
      findings.add("ReservedStageName", from.place, message);
    }
    if (names.has(name))
      findings.add("DuplicateStageName", from.place, `Duplicate stage name ${quoted}, stage names should be unique`);
    names.add(name);
  }
  checkCasing(file.stages, findings);
}

type Casing = "lowercase" | "uppercase";

/** The casing that a word has throughout. */
function casingOf(word: string): Casing | undefined {
  if (word === word.toLowerCase()) return "lowercase";
  return word === word.toUpperCase() ? "uppercase" : undefined;
}

const inCasing = (word: string, casing: Casing): string =>
  casing === "lowercase" ? word.toLowerCase() : word.toUpperCase();

function checkCasing(stages: readonly Stage[], findings: Findings): void {
  const all = stages.flatMap(({ from, instructions }): readonly (FromInstruction | StageInstruction)[] => [
    from,
    ...instructions,
  ]);
  const casings = all.map((instruction) => casingOf(keywordOf(instruction)));
  const count = (casing: Casing) => casings.filter((other) => other === casing).length;
  const wanted: Casing = count("lowercase") > count("uppercase") ? "lowercase" : "uppercase";
  for (const instruction of all) {
    const keyword = keywordOf(instruction);
    if (keyword === inCasing(keyword, wanted)) continue;
    const message = `Command '${keyword}' should match the case of the command majority (${wanted})`;
    findings.add("ConsistentInstructionCasing", instruction.place, message);
  }
}

/** Without any build argument, too, `FROM` names an image. */
export function checkDefaults(file: Containerfile, builtIn: ReadonlyMap<string, string>, findings: Findings): void {
  const { values } = readGlobalArgs(file, builtIn, {});
  for (const { from } of file.stages) {
    const { text } = expandKnown(from.image, values, file.escape);
    if (isName(text)) continue;
    const message = `Default value for ARG ${from.image} results in empty or invalid base image name`;
    findings.add("InvalidDefaultArgInFrom", from.place, message);
  }
}

function isName(text: string): boolean {
  try {
    parseReference(text);
    return true;
  } catch {
    return false;
  }
}
