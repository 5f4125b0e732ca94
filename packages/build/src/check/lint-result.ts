import type { CallResult } from "../contract.ts";
import type { Place } from "../language/index.ts";
import { base64, json, linesOf, optional, type Sources } from "./call-result.ts";
import type { Finding } from "./findings.ts";
import { RULES, ruleUrl } from "./rules.ts";
import { showSource } from "./text.ts";

/** Why a file cannot be built. */
export interface CheckError {
  readonly message: string;
  readonly place: Place | undefined;
}

/** `frontend.lint`. */
export function lintResult(findings: readonly Finding[], sources: Sources, error: CheckError | undefined): CallResult {
  const names = [...sources.keys()];
  const locationOf = (place: Place) => {
    const sourceIndex = Math.max(0, names.indexOf(place.file));
    return { ...(sourceIndex === 0 ? {} : { sourceIndex }), ...linesOf(place) };
  };
  const sorted = findings.toSorted(
    (a, b) => names.indexOf(a.place.file) - names.indexOf(b.place.file) || a.place.lines[0] - b.place.lines[0],
  );
  const warnings = sorted.map(({ rule, message, place }) => ({
    ruleName: rule,
    description: RULES[rule].description,
    ...optional("url", ruleUrl(rule)),
    detail: message,
    location: locationOf(place),
  }));
  const buildError =
    error === undefined
      ? {}
      : { buildError: { message: error.message, location: error.place === undefined ? {} : locationOf(error.place) } };
  const files = names.map((filename) => ({ filename, data: base64(sources.get(filename)), language: "Dockerfile" }));
  const parts = sorted.map(({ rule, message, place }) => {
    const url = ruleUrl(rule);
    const source = showSource(sources.get(place.file) ?? [], place);
    return `\nWARNING: ${rule}${url === undefined ? "" : ` - ${url}`}\n${message}\n${source}`;
  });
  return {
    json: json({ warnings: warnings.length === 0 ? null : warnings, sources: files, ...buildError }),
    text: parts.join(""),
    status: warnings.length === 0 && error === undefined ? 0 : 1,
  };
}
