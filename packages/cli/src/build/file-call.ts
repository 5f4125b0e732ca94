import type { CallResult } from "@boxship/build";
import { cut } from "../container-options/csv.ts";
import { type Context, print } from "../context.ts";
import { Exit, Failure, FlagError } from "../failure.ts";

/** A question about a Containerfile, as `--call` asks it. */
export interface FileCall {
  readonly name: string;
  readonly json: boolean;
  /** Findings do not fail the command. */
  readonly ignoreStatus: boolean;
}

/** `check`, `outline,format=json`, `check,ignorestatus=true`; undefined for `build`. @throws FlagError */
export function parseCall(text: string): FileCall | undefined {
  let name: string | undefined;
  let [json, ignoreStatus] = [false, false];
  for (const field of text.split(",")) {
    const [key, value] = cut(field);
    if (value === undefined) {
      if (name !== undefined) throw new FlagError(`invalid print value: ${text}`);
      name = key;
    } else if (key === "format") json = value === "json";
    else if (key === "ignorestatus" && /^(?:1|t|true|0|f|false)$/i.test(value)) ignoreStatus = /^[1t]/i.test(value);
    else throw new FlagError(`invalid print field: ${field}`);
  }
  if (name === undefined || name === "" || name === "build") return undefined;
  return { name: name === "check" ? "lint" : name, json, ignoreStatus };
}

/** Shows an answer as buildx does. @throws Exit for findings, Failure for a file that cannot be built */
export function printCall(context: Context, { name, json, ignoreStatus }: FileCall, answer: CallResult): void {
  if (name === "lint") printFindings(context, json, answer);
  else context.stdout.write(json ? `${answer.json}\n` : answer.text);
  if (answer.status !== 0 && !ignoreStatus) throw new Exit(answer.status);
}

interface Lint {
  readonly warnings: readonly unknown[] | null;
  readonly sources: readonly { readonly filename: string }[];
  readonly buildError?: {
    readonly message: string;
    readonly location: {
      readonly sourceIndex?: number;
      readonly ranges?: readonly { readonly start: { readonly line: number } }[];
    };
  };
}

function printFindings(context: Context, json: boolean, answer: CallResult): void {
  const { warnings, sources, buildError } = JSON.parse(answer.json) as Lint;
  const count = warnings?.length ?? 0;
  if (json) print(context, answer.json);
  else if (count > 0) {
    print(context, `Check complete, ${count === 1 ? "1 warning has" : `${count} warnings have`} been found!`);
    context.stdout.write(answer.text);
  }
  if (buildError !== undefined) {
    if (count > 0 && !json) print(context, "");
    const { sourceIndex = 0, ranges = [] } = buildError.location;
    const [place] = ranges.map(({ start }) => `look at ${sources[sourceIndex]?.filename ?? ""}:${start.line}`);
    throw new Failure(buildError.message, { remedy: place });
  }
  if (count === 0 && !json) print(context, "Check complete, no warnings found.");
}
