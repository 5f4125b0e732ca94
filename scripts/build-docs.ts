import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { Control } from "../packages/build/src/buildkit/wire/control.ts";
import { Bridge } from "../packages/build/src/buildkit/wire/gateway.ts";
import { RULE_NAMES, RULES, type Rule } from "../packages/build/src/check/rules.ts";
import { INSTRUCTION_FLAGS, KEYWORDS } from "../packages/build/src/language/parse-instruction.ts";
import { MOUNT_OPTIONS } from "../packages/build/src/language/parse-mount.ts";
import { BUILD_FLAGS } from "../packages/cli/src/build/execute-build.ts";
import { buildahTable } from "../packages/cli/src/buildah/table.ts";
import { ROUTES } from "../packages/docker-api/src/routes/index.ts";

// Writes docs/build-reference.md from the builder's own tables; with --check it only says whether the page is up to date.

type State = "works" | "differs" | "refused";

interface Remark {
  readonly state: State;
  readonly note: string;
}

const differs = (note: string): Remark => ({ state: "differs", note });
const refused = (note: string): Remark => ({ state: "refused", note });
const works = (note: string): Remark => ({ state: "works", note });

/** What is to be said of instructions and their flags; everything else that the parser knows works as Docker's. */
const INSTRUCTIONS: Readonly<Record<string, Remark>> = {
  INCLUDE: works("ours: the instructions of another file of the context; circles are refused"),
  MAINTAINER: works("out of date, as in Docker"),
  "RUN --security": works("`insecure` needs `--allow security.insecure`"),
};

/** Flags of Docker's `build` and of buildx that `boxship build` has not, or has otherwise. */
const BUILD: Readonly<Record<string, Remark>> = {
  builder: refused("there is one builder: the engine"),
  compress: refused("layers are compressed when they are pushed, or with --output compression="),
  "disable-content-trust": refused("images are not signed while they are built"),
  "force-rm": differs("accepted: there are no intermediate containers"),
  isolation: refused("it means something on Windows only"),
  policy: refused("there are no policies of sources"),
  rm: differs("accepted: there are no intermediate containers"),
  "security-opt": refused("write RUN --security"),
};

const OWN_FLAGS: Readonly<Record<string, string>> = {
  "on-error": "ours: `shell` opens a shell in what a failing command left",
};

/** What BuildKit's services do; a method without a remark here makes this script fail. */
const METHODS: Readonly<Record<string, Remark>> = {
  "Control.diskUsage": works(""),
  "Control.prune": differs("pruning by free space is refused"),
  "Control.solve": differs("Containerfiles; graphs of operations (LLB) and other frontends are refused"),
  "Control.status": works(""),
  "Control.session": works(""),
  "Control.listWorkers": works("one worker"),
  "Control.info": works(""),
  "Control.listenBuildHistory": differs("the last 50 builds; filters are refused"),
  "Control.updateBuildHistory": works(""),
  "LLBBridge.resolveImageConfig": refused("the engine resolves images itself"),
  "LLBBridge.resolveSourceMeta": refused("the engine resolves images itself"),
  "LLBBridge.solve": differs("Containerfiles; graphs of operations (LLB) are refused"),
  "LLBBridge.readFile": refused("files of results are exported"),
  "LLBBridge.readDir": refused("files of results are exported"),
  "LLBBridge.statFile": refused("files of results are exported"),
  "LLBBridge.evaluate": works(""),
  "LLBBridge.ping": works(""),
  "LLBBridge.return": works(""),
  "LLBBridge.inputs": refused("there are no nested frontends"),
  "LLBBridge.warn": refused("there are no nested frontends"),
};

const row = (name: string, { state, note }: Remark): string => `| ${name} | ${state} | ${note} |`;
const table = (head: string, rows: readonly string[]): string =>
  `| ${head} | state | remarks |\n|---|---|---|\n${rows.join("\n")}\n`;
const WORKS: Remark = works("");

function instructions(): string {
  const known = KEYWORDS.flatMap((keyword) => [
    keyword,
    ...Object.keys(INSTRUCTION_FLAGS[keyword] ?? {}).map((flag) => `${keyword} --${flag}`),
  ]);
  refuseUnknown(Object.keys(INSTRUCTIONS), known, "instructions");
  return table(
    "instruction",
    known.map((name) => row(`\`${name}\``, INSTRUCTIONS[name] ?? WORKS)),
  );
}

function mounts(): string {
  const rows = Object.entries(MOUNT_OPTIONS).map(([type, options]) =>
    row(`\`RUN --mount=type=${type}\``, works(options.map((option) => `\`${option}\``).join(", "))),
  );
  return table("mount", rows);
}

function buildFlags(): string {
  const own = Object.keys(BUILD_FLAGS);
  // A flag that is refused in the table and has come meanwhile, or the reverse, is a table that is not true.
  const wrong = Object.entries(BUILD).find(([name, { state }]) => state === "refused" && own.includes(name));
  if (wrong !== undefined) throw new Error(`build has --${wrong[0]}, and the table says that it has not`);
  const names = [...new Set([...own, ...Object.keys(BUILD)])].sort();
  return table(
    "flag",
    names.map((name) => row(`\`--${name}\``, BUILD[name] ?? works(OWN_FLAGS[name] ?? ""))),
  );
}

async function buildahWords(): Promise<string> {
  const parts = await Promise.all(
    buildahTable.map(async ({ name, aliases = [], load }) => {
      const { command } = await load();
      const flags = Object.entries(command.flags);
      const isRefused = ([, { help }]: (typeof flags)[number]) => help.startsWith("Not supported: ");
      const kept = flags.filter((flag) => !isRefused(flag)).map(([flag]) => `\`--${flag}\``);
      const gone = flags
        .filter(isRefused)
        .map(([flag, { help }]) => row(`\`${name} --${flag}\``, refused(help.slice(15))));
      const words = [name, ...aliases].map((word) => `\`${word}\``).join(", ");
      return [row(words, works(kept.join(" "))), ...gone];
    }),
  );
  return table("word", parts.flat());
}

function checks(): string {
  const rows = RULE_NAMES.map((name) => {
    const rule: Rule = RULES[name];
    const note = `${rule.description.replaceAll("|", "\\|")}${rule.experimental === true ? " (only where it is asked for)" : ""}`;
    return row(`\`${name}\``, works(note));
  });
  return table("rule", rows);
}

function services(): string {
  const methods = [
    ...Object.keys(Control).map((name) => `Control.${name}`),
    ...Object.keys(Bridge).map((name) => `LLBBridge.${name}`),
  ];
  refuseUnknown(Object.keys(METHODS), methods, "services");
  return table(
    "method",
    methods.map((name) => {
      const remark = METHODS[name];
      if (remark === undefined) throw new Error(`nothing is said of ${name}`);
      const [service = "", method = ""] = name.split(".");
      return row(`\`${service}.${method.charAt(0).toUpperCase()}${method.slice(1)}\``, remark);
    }),
  );
}

function routes(): string {
  const own = ROUTES.filter(({ path }) => /^\/(?:build|session|grpc|boxship\/(?:build|working))/.test(path));
  return table(
    "endpoint",
    own.map(({ method, path, doc }) => row(`\`${method} ${path}\``, { state: doc.state, note: doc.note ?? "" })),
  );
}

function refuseUnknown(named: readonly string[], known: readonly string[], what: string): void {
  const unknown = named.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`the table of ${what} names what is not there: ${unknown.join(", ")}`);
}

const text = `<!-- Generated by scripts/build-docs.ts -->
# The builder's instructions, flags and interfaces

From the builder's own tables. *Works* is what Docker's, BuildKit's or buildah's do; *differs* says how; *refused* ends with an
error that names it. What stands behind it is in [build.md](build.md).

## Instructions

${instructions()}
${mounts()}
## \`boxship build\`

${buildFlags()}
## \`boxship buildah\`

The flags of each word, and those of buildah's that are refused. Flags that are not named are not known.

${await buildahWords()}
## Checks

${checks()}
## Endpoints

${routes()}
## BuildKit's services

${services()}`;

const page = resolve(import.meta.dirname, "../docs/build-reference.md");
if (!process.argv.includes("--check")) writeFileSync(page, text);
else if (readFileSync(page, "utf8") !== text) {
  process.stderr.write("docs/build-reference.md is not what the builder says: run node scripts/build-docs.ts\n");
  process.exitCode = 1;
}
