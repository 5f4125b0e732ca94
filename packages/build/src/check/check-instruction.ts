import { posix } from "node:path";
import { expandWords } from "@boxship/oci";
import {
  type ArgInstruction,
  type CopyInstruction,
  type Place,
  parseExposedPorts,
  parseMount,
  type RunInstruction,
  refuse,
  type StageInstruction,
} from "../language/index.ts";
import { expandHeredoc } from "../solver/steps/copy.ts";
import { placed } from "../solver/steps/metadata.ts";
import { keywordOf } from "./check-source.ts";
import type { Findings } from "./findings.ts";
import { type ArgInfo, type GlobalArgs, valueOf } from "./global-args.ts";
import type { IgnoredSources } from "./ignored-sources.ts";
import type { StageScope } from "./stage-scope.ts";
import { suggestion } from "./suggest.ts";
import { expandKnown } from "./variables.ts";

/** What a stage wants of whoever builds it. */
export interface StageNeeds {
  readonly args: Map<string, ArgInfo>;
  readonly used: Set<string>;
  readonly secrets: Map<string, { readonly required: boolean; readonly place: Place }>;
  readonly agents: Map<string, { readonly required: boolean; readonly place: Place }>;
}

/** What the rules of a stage's instructions share. */
export interface StageCheck {
  readonly scope: StageScope;
  readonly needs: StageNeeds;
  readonly globals: GlobalArgs;
  readonly given: Readonly<Record<string, string | undefined>>;
  readonly escape: "\\" | "`";
  readonly ignored: IgnoredSources;
  readonly findings: Findings;
  /** Instructions of which only the last one counts, by their kind. */
  readonly once: Map<string, Place>;
}

/** Rules about one instruction, and what it changes for those below. @throws ContainerfileError */
export function checkInstruction(instruction: StageInstruction, check: StageCheck): void {
  const { scope, findings } = check;
  const { place, comments } = instruction;
  const expand = (word: string) => expanded(word, instruction, check);
  switch (instruction.kind) {
    case "arg":
      checkArg(instruction, check);
      break;
    case "env":
    case "label":
      checkPairs(instruction, check, expand);
      break;
    case "copy":
    case "add":
      checkCopy(instruction, check, expand);
      break;
    case "run":
      checkRun(instruction, check, expand);
      break;
    case "workdir": {
      const path = expand(instruction.word);
      const message = `Relative workdir ${JSON.stringify(path)} can have unexpected results if the base image changes`;
      if (!scope.hasWorkdir && !path.startsWith("/")) findings.add("WorkdirRelativePath", place, message, comments);
      scope.hasWorkdir = true;
      break;
    }
    case "expose":
      checkPorts(instruction, check);
      break;
    case "volume":
      instruction.words.forEach(expand);
      break;
    case "user":
    case "stopsignal":
      expand(instruction.word);
      break;
    default:
      checkConfiguration(instruction, check);
  }
}

function checkConfiguration(instruction: StageInstruction, { scope, findings, once }: StageCheck): void {
  if (instruction.kind === "shell") scope.hasShell = true;
  if (instruction.kind === "onbuild") scope.triggers.push(instruction.trigger);
  if (instruction.kind !== "cmd" && instruction.kind !== "entrypoint" && instruction.kind !== "healthcheck") return;
  const { kind, place, comments } = instruction;
  const keyword = keywordOf(instruction);
  const before = once.get(kind);
  if (before !== undefined) {
    const message = `Multiple ${keyword} instructions should not be used in the same stage because only the last one will be used`;
    findings.add("MultipleInstructionsDisallowed", before, message, comments);
  }
  once.set(kind, place);
  if (instruction.kind === "healthcheck" || instruction.command.form === "exec" || scope.hasShell) return;
  const message = `JSON arguments recommended for ${keyword} to prevent unintended behavior related to OS signals`;
  findings.add("JSONArgsRecommended", place, message, comments);
}

/** Replaces variables, and tells of those that nobody has defined. */
function expanded(word: string, instruction: StageInstruction, check: StageCheck): string {
  const { text, missing } = placed(instruction, () => expandKnown(word, check.scope.values, check.escape));
  reportMissing(missing, instruction, check);
  return text;
}

function reportMissing(
  missing: ReadonlySet<string>,
  { place, comments }: StageInstruction,
  { scope, findings }: StageCheck,
): void {
  for (const name of missing) {
    if (scope.declared.has(name)) continue;
    const meant = suggestion(name, scope.values.keys(), "$");
    findings.add("UndefinedVar", place, `Usage of undefined variable '$${name}'${meant}`, comments);
  }
}

/** The value of such an argument is no variable. */
const NO_VARIABLES = new Set(["BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"]);

function checkArg(instruction: ArgInstruction, check: StageCheck): void {
  const { scope, needs, globals, given } = check;
  const { place } = instruction;
  for (const { name, value: written, comment } of instruction.args) {
    checkSecret("ARG", name, instruction, check);
    const asked = valueOf(given, name);
    const inherited = asked === undefined && written === undefined ? globals.values.get(name) : undefined;
    const own = asked ?? (written === undefined ? undefined : expanded(written, instruction, check));
    const value = own ?? inherited;
    if (value !== undefined && !NO_VARIABLES.has(name)) scope.values.set(name, value);
    if (inherited === undefined)
      needs.args.set(name, { name, value: value ?? "", description: comment, place, needs: new Set() });
    needs.used.add(name);
    scope.declared.add(name);
  }
}

/** Names, or words of names, that secrets have, and those that say that it is none. */
const SECRET = /(?:_|^)(?:apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:_|$)/i;
const NO_SECRET = /(?:_|^)(?:public|file|version)(?:_|$)/i;

function checkSecret(
  keyword: string,
  name: string,
  { place, comments }: StageInstruction,
  { findings }: StageCheck,
): void {
  if (!SECRET.test(name) || NO_SECRET.test(name)) return;
  const quoted = JSON.stringify(name);
  const message = `Do not use ARG or ENV instructions for sensitive data (${keyword} ${quoted})`;
  findings.add("SecretsUsedInArgOrEnv", place, message, comments);
}

function checkPairs(
  instruction: Extract<StageInstruction, { readonly kind: "env" | "label" }>,
  check: StageCheck,
  expand: (word: string) => string,
): void {
  const { kind, place, comments, legacy = false } = instruction;
  const pairs = instruction.pairs.map(([name, value]) => [expand(name), expand(value)] as const);
  const keyword = keywordOf(instruction);
  for (const [name, value] of pairs) {
    if (legacy) {
      const message = `"${keyword} key=value" should be used instead of legacy "${keyword} key value" format`;
      check.findings.add("LegacyKeyValueFormat", place, message, comments);
    }
    if (kind === "label") continue;
    checkSecret("ENV", name, instruction, check);
    check.scope.values.set(name, value);
  }
}

function checkCopy(instruction: CopyInstruction, check: StageCheck, expand: (word: string) => string): void {
  const { kind, place, comments, from, chown, chmod, checksum } = instruction;
  for (const word of [chown, chmod, checksum]) if (word !== undefined) expand(word);
  const sources = instruction.sources.map(expand);
  expand(instruction.destination);
  for (const { content, expand: replaces } of instruction.heredocs) {
    const missing = new Set<string>();
    const variables = (name: string) => {
      const value = check.scope.values.get(name);
      if (value === undefined) missing.add(name);
      return value;
    };
    if (replaces && content.includes("$")) placed(instruction, () => expandHeredoc(content, variables, check.escape));
    reportMissing(missing, instruction, check);
  }
  if (from !== undefined) return;
  for (const source of sources) {
    if (/^[a-z+]+:\/\/|^git@/.test(source)) continue;
    const path = posix.join(source, ".").replace(/(?<=.)\/$/, "");
    if (!check.ignored.has(path)) continue;
    const quoted = JSON.stringify(path);
    const message = `Attempting to ${kind === "copy" ? "Copy" : "Add"} file ${quoted} that is excluded by .dockerignore`;
    check.findings.add("CopyIgnoredFile", place, message, comments);
  }
}

function checkRun(instruction: RunInstruction, { needs }: StageCheck, expand: (word: string) => string): void {
  const { place } = instruction;
  for (const written of instruction.mounts) {
    const mount = parseMount(written.includes("$") ? expand(written) : written, place);
    const { type, id, target = "", required } = mount;
    const name = id ?? (type === "ssh" ? "default" : posix.basename(target));
    const all = type === "secret" ? needs.secrets : type === "ssh" ? needs.agents : undefined;
    if (all !== undefined && !all.has(name)) all.set(name, { required, place });
  }
}

function checkPorts(
  instruction: Extract<StageInstruction, { readonly kind: "expose" | "volume" | "shell" }>,
  { scope, findings, escape }: StageCheck,
): void {
  const { place, comments } = instruction;
  const variables = (name: string) => scope.values.get(name);
  const words = placed(instruction, () =>
    instruction.words.flatMap((word) => expandWords(word, variables, { escape })),
  );
  for (const word of words) {
    const found =
      parseExposedPorts(word) ?? refuse(place, `invalid containerPort: ${word}`, "write EXPOSE 80 or 80/udp");
    if (found.protocol !== found.protocol.toLowerCase()) {
      const message = `Defined protocol '${word}' in EXPOSE instruction should be lowercase`;
      findings.add("ExposeProtoCasing", place, message, comments);
    }
    if (!found.mapped) continue;
    const message = `EXPOSE instruction should not define an IP address or host-port mapping, found '${word}'`;
    findings.add("ExposeInvalidFormat", place, message, comments);
  }
}
