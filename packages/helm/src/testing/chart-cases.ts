import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { text as readText } from "node:stream/consumers";
import type { HelmIo, Logins } from "../command.ts";
import { runHelm } from "../run-helm.ts";

/** A case of `testdata/charts`: a chart's files, words for helm, and what it prints. */
export interface ChartCase {
  readonly args: readonly string[];
  readonly files: ReadonlyMap<string, string>;
  readonly want: string | undefined;
}

/** Sections begin with lines such as `-- Chart.yaml --`. */
export function readCase(text: string): ChartCase {
  const sections = new Map<string, string>();
  for (const part of text.split(/^-- (?=.+ --$)/m).slice(1)) {
    const at = part.indexOf("\n");
    sections.set(part.slice(0, at).replace(/ --$/, ""), part.slice(at + 1));
  }
  const args = splitArguments(sections.get("args") ?? "");
  const want = sections.get("want");
  sections.delete("args");
  sections.delete("want");
  return { args, files: sections, want };
}

const splitArguments = (text: string): readonly string[] =>
  [...text.trim().matchAll(/"((?:\\.|[^"])*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");

export function writeFiles(folder: string, files: ReadonlyMap<string, string>): void {
  for (const [name, text] of files) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunHereOptions {
  readonly signal?: AbortSignal;
  /** What stands on standard input. */
  readonly input?: string;
  readonly logins?: Logins;
}

/** Starts a program that helm wants, as the command line does. */
const runNext: NonNullable<HelmIo["run"]> = async (program, args, { text = "" } = {}) => {
  const child = spawn(program, args, { stdio: "pipe" });
  const ended = once(child, "close");
  child.stdin.on("error", () => undefined).end(text);
  const [stdout, stderr] = await Promise.all([readText(child.stdout), readText(child.stderr), ended]);
  return { status: child.exitCode ?? 1, stdout, stderr };
};

/** Our helm in this process: what it prints, and its exit status. */
export async function runHere(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  { signal, input = "", logins }: RunHereOptions = {},
): Promise<Ran> {
  const texts = { stdout: "", stderr: "" };
  const sink = (name: keyof typeof texts) => ({ write: (text: string) => void (texts[name] += text) });
  const [stdin, run] = [Readable.from(input === "" ? [] : [Buffer.from(input)]), runNext];
  const io = { stdin, stdout: sink("stdout"), stderr: sink("stderr"), env, signal, run, ...(logins && { logins }) };
  return { status: await runHelm(args, io), ...texts };
}
