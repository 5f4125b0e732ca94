import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { bundleFindings } from "./bundle.ts";
import { type Check, type Finding, filesUnder, lineOf, run } from "./finding.ts";

interface Command {
  readonly words: readonly string[];
  readonly line: number;
}

/** Lines of the shell blocks of a Markdown text, without prompts, comments and continuation lines. */
export function shellLines(markdown: string): { readonly text: string; readonly line: number }[] {
  return [...markdown.matchAll(/^```(?:sh|shell|console|bash)\n([\s\S]*?)^```/gm)].flatMap((block) => {
    const first = lineOf(markdown, block.index) + 1;
    return (block[1] ?? "")
      .split("\n")
      .map((text, index) => ({ text: text.replace(/^\$ /, "").trim(), line: first + index }))
      .filter(({ text }) => text !== "" && !text.startsWith("#"));
  });
}

/** The words after the program's name up to the first flag or argument in capitals, quotes or with punctuation. */
function leadingWords(text: string, program: RegExp): string[] | undefined {
  const match = program.exec(text);
  if (match === null) return undefined;
  const rest = text.slice(match.index + match[0].length).split(/\s+/);
  const end = rest.findIndex((word) => !/^[a-z][a-z-]*$/.test(word));
  return end < 0 ? rest : rest.slice(0, end);
}

export function boxshipCommands(markdown: string): Command[] {
  return shellLines(markdown).flatMap(({ text, line }) => {
    const words = leadingWords(text, /(?:^|\s)(?:\.\/)?boxship\s+/);
    return words === undefined || words.length === 0 ? [] : [{ words, line }];
  });
}

function npmScripts(root: string): Set<string> {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: Record<string, string> };
  return new Set(Object.keys(manifest.scripts));
}

async function isCommand(root: string, words: readonly string[]): Promise<boolean> {
  const ran = await run(root, process.execPath, ["dist/current/boxship.cjs", ...words, "--help"]);
  return ran.status === 0;
}

/** What the documents tell a reader to type exists: npm scripts, and commands of the CLI. */
export const docs: Check = {
  name: "docs",
  async run(root) {
    const files = [...filesUnder(root, "docs", [".md"]), "README.md", "CONTRIBUTING.md"];
    const scripts = npmScripts(root);
    const findings: Finding[] = [...(await bundleFindings(root))];
    if (findings.length > 0) return findings;
    const known = new Map<string, Promise<boolean>>();
    for (const file of files.filter((name) => existsSync(join(root, name)))) {
      const markdown = readFileSync(join(root, file), "utf8");
      for (const { text, line } of shellLines(markdown)) {
        const script = /^npm run (?:-s )?([a-z-]+)/.exec(text)?.[1] ?? (/^npm test\b/.test(text) ? "test" : undefined);
        if (script !== undefined && !scripts.has(script)) {
          findings.push({ where: `${file}:${line}`, what: `there is no npm script '${script}'` });
        }
      }
      for (const { words, line } of boxshipCommands(markdown)) {
        // `boxship image pull debian`: the second word is part of the command only for groups.
        const [group = "", verb] = words;
        const command = groups.has(group) && verb !== undefined ? [group, verb] : [group];
        const key = command.join(" ");
        const answer = known.get(key) ?? isCommand(root, command);
        known.set(key, answer);
        if (!(await answer)) findings.push({ where: `${file}:${line}`, what: `there is no command 'boxship ${key}'` });
      }
    }
    return findings;
  },
};

const groups = new Set(["image", "container", "network", "volume", "system"]);
