import { InvalidArgument } from "@boxship/base";
import { parseReference } from "@boxship/oci";
import type { ArgInstruction, Containerfile, FromInstruction, Place, Stage } from "../language/index.ts";
import { Turns } from "../turns.ts";
import type { Findings } from "./findings.ts";
import { readGlobalArgs } from "./global-args.ts";
import { expandKnown } from "./variables.ts";

/** The first word of an instruction, as it was written. */
export const keywordOf = ({ text }: { readonly text: string }): string => /^\S+/.exec(text)?.[0] ?? "";

/** Rules about how instructions are written, each for itself. */
export async function checkInstructions(file: Containerfile, findings: Findings): Promise<void> {
  const turns = new Turns();
  for (const { rule, message, place } of file.warnings)
    if (rule === "NoEmptyContinuation") findings.add(rule, place, message);
  for (const arg of file.args) checkArgComment(arg, findings);
  for (const { from, instructions } of file.stages) {
    checkFrom(from, findings);
    for (const instruction of instructions) {
      if (turns.over) await turns.next();
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
export async function checkFile(file: Containerfile, findings: Findings): Promise<void> {
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
  await checkCasing(file.stages, findings);
}

type Casing = "lowercase" | "uppercase";

/** The casing that a word has throughout. */
function casingOf(word: string): Casing | undefined {
  if (word === word.toLowerCase()) return "lowercase";
  return word === word.toUpperCase() ? "uppercase" : undefined;
}

const inCasing = (word: string, casing: Casing): string =>
  casing === "lowercase" ? word.toLowerCase() : word.toUpperCase();

async function checkCasing(stages: readonly Stage[], findings: Findings): Promise<void> {
  const turns = new Turns();
  const known: { readonly keyword: string; readonly place: Place; readonly casing: Casing | undefined }[] = [];
  for (const { from, instructions } of stages) {
    for (const instruction of [from, ...instructions]) {
      if (turns.over) await turns.next();
      const keyword = keywordOf(instruction);
      known.push({ keyword, place: instruction.place, casing: casingOf(keyword) });
    }
  }
  const count = (casing: Casing) => known.filter((other) => other.casing === casing).length;
  const wanted: Casing = count("lowercase") > count("uppercase") ? "lowercase" : "uppercase";
  for (const { keyword, place } of known) {
    if (turns.over) await turns.next();
    if (keyword === inCasing(keyword, wanted)) continue;
    const message = `Command '${keyword}' should match the case of the command majority (${wanted})`;
    findings.add("ConsistentInstructionCasing", place, message);
  }
}

/** Without any build argument, too, `FROM` names an image. What cannot be read so may be with arguments. */
export function checkDefaults(file: Containerfile, builtIn: ReadonlyMap<string, string>, findings: Findings): void {
  const values = readable(() => readGlobalArgs(file, builtIn, {}).values);
  if (values === undefined) return;
  for (const { from } of file.stages) {
    const image = readable(() => expandKnown(from.image, values, file.escape).text);
    if (image === undefined) return;
    if (isName(image)) continue;
    const message = `Default value for ARG ${from.image} results in empty or invalid base image name`;
    findings.add("InvalidDefaultArgInFrom", from.place, message);
  }
}

function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof InvalidArgument) return undefined;
    throw error;
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
