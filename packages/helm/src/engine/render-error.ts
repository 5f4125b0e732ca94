import { errorMessage, InvalidArgument } from "@boxship/base/errors";
import { sprint, valueOf } from "@boxship/template";
import { type Dict, isDict } from "../functions/go-values.ts";
import { valueAt } from "../values/coalesce.ts";

/** Before what `required` and `fail` say: the rest of the error is of no use to who reads it. */
export const REQUIRED = "\u0000required\u0000";

/** Includes in includes say the same over and over: so many of them are told. */
const MOST_STEPS_TOLD = 6;

/** Wrong syntax: `parse error at (chart/templates/a.yaml:3): …` with the line that is meant. */
export function parseError(error: unknown, sources: ReadonlyMap<string, string>): InvalidArgument {
  const message = errorMessage(error);
  const [, place = "", name = "", line = "0", problem = message] =
    /^template: ((.*?):(\d+)(?::\d+)?): (.*)$/s.exec(message) ?? [];
  return new InvalidArgument(`parse error at (${place}): ${problem}${lineText(sources, name, Number(line))}`, {
    cause: error,
  });
}

interface Context {
  readonly sources: ReadonlyMap<string, string>;
  readonly scope: Dict;
}

/** What went wrong while a template was executed: the chain of templates, the line that is meant, and its values. */
export function executionError(error: unknown, { sources, scope }: Context): InvalidArgument {
  const message = errorMessage(error);
  const places = [...message.matchAll(/template: (.+?):(\d+):(\d+): executing "/g)];
  const innermost = places.findLast(([, name = ""]) => sources.has(name));
  const [, name = "", line = "0"] = innermost ?? [];
  const shown = lineText(sources, name, Number(line)) + valuesText(sources, name, Number(line), scope);
  const required = message.lastIndexOf(REQUIRED);
  if (required >= 0) {
    const [, outer = "", outerLine = "", column = ""] = places[0] ?? [];
    const text = message.slice(required + REQUIRED.length);
    return new InvalidArgument(`execution error at (${outer}:${outerLine}:${column}): ${text}${shown}`, {
      cause: error,
    });
  }
  return new InvalidArgument(shortened(message) + shown, { cause: error });
}

function shortened(message: string): string {
  const steps = message.split(/(?=template: \S+?:\d+:\d+: executing )/);
  if (steps.length <= MOST_STEPS_TOLD) return message;
  const left = steps.length - MOST_STEPS_TOLD;
  return `${steps.slice(0, 3).join("")}… ${left} more of these … ${steps.slice(-3).join("")}`;
}

const lineOf = (sources: ReadonlyMap<string, string>, name: string, line: number): string =>
  sources.get(name)?.split("\n")[line - 1]?.trim().slice(0, 200) ?? "";

function lineText(sources: ReadonlyMap<string, string>, name: string, line: number): string {
  const text = lineOf(sources, name, line);
  return text === "" ? "" : `\n  ${name}:${line}: ${text}`;
}

/** The values that a line names, as they are. */
function valuesText(sources: ReadonlyMap<string, string>, name: string, line: number, scope: Dict): string {
  const values = scope["Values"];
  if (!isDict(values)) return "";
  const paths = new Set([...lineOf(sources, name, line).matchAll(/\.Values\.([\w.]+)/g)].map(([, path = ""]) => path));
  return [...paths].map((path) => `\n  .Values.${path}: ${valueText(values, path)}`).join("");
}

function valueText(values: Dict, path: string): string {
  const value = valueAt(values, path);
  if (value !== undefined)
    return value === null ? "null" : `${sprint([valueOf(value)]).slice(0, 200)} (${typeText(value)})`;
  const parts = path.split(".");
  const there = parts.findLastIndex((_, at) => valueAt(values, parts.slice(0, at + 1).join(".")) !== undefined);
  return there < 0
    ? "is not set"
    : `is not set; .Values.${parts.slice(0, there + 1).join(".")} is ${typeText(valueAt(values, parts.slice(0, there + 1).join(".")))}`;
}

function typeText(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (isDict(value)) return "a map";
  return value === null
    ? "null"
    : typeof value === "number" || typeof value === "bigint"
      ? "a number"
      : `a ${typeof value}`;
}
