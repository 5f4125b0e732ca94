import type { Severity } from "./osv.ts";

const WEIGHTS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  AV: { N: 0.85, A: 0.62, L: 0.55, P: 0.2 },
  AC: { L: 0.77, H: 0.44 },
  UI: { N: 0.85, R: 0.62 },
  C: { H: 0.56, L: 0.22, N: 0 },
  I: { H: 0.56, L: 0.22, N: 0 },
  A: { H: 0.56, L: 0.22, N: 0 },
};
const PRIVILEGES = { unchanged: { N: 0.85, L: 0.62, H: 0.27 }, changed: { N: 0.85, L: 0.68, H: 0.5 } };

/** The base score of a vector of CVSS 3.0 or 3.1 (section 7.1), or undefined for any other text. */
export function cvssScore(vector: string): number | undefined {
  if (!/^CVSS:3\.[01]\//.test(vector)) return undefined;
  const metrics = new Map(vector.split("/").map((part) => part.split(":", 2) as [string, string]));
  const changed = metrics.get("S") === "C";
  const weight = (name: string) => WEIGHTS[name]?.[metrics.get(name) ?? ""];
  const privileges = PRIVILEGES[changed ? "changed" : "unchanged"][(metrics.get("PR") ?? "") as "N" | "L" | "H"];
  const [av, ac, ui, c, i, a] = ["AV", "AC", "UI", "C", "I", "A"].map(weight);
  const all = [av, ac, ui, c, i, a, privileges];
  if (all.some((value) => value === undefined)) return undefined;
  const base = 1 - (1 - (c ?? 0)) * (1 - (i ?? 0)) * (1 - (a ?? 0));
  const impact = changed ? 7.52 * (base - 0.029) - 3.25 * (base - 0.02) ** 15 : 6.42 * base;
  if (impact <= 0) return 0;
  const exploitability = 8.22 * (av ?? 0) * (ac ?? 0) * (privileges ?? 0) * (ui ?? 0);
  return roundUp(Math.min((changed ? 1.08 : 1) * (impact + exploitability), 10));
}

/** To one decimal, upwards, without what floating point adds (CVSS 3.1, appendix A). */
function roundUp(value: number): number {
  const whole = Math.round(value * 100_000);
  return whole % 10_000 === 0 ? whole / 100_000 : (Math.floor(whole / 10_000) + 1) / 10;
}

/** The rating of a vector, or of a bare score (section 5). Vectors of other versions are not rated. */
export function cvssSeverity(text: string): Severity {
  const score = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : cvssScore(text);
  if (score === undefined || score === 0) return "unknown";
  if (score < 4) return "low";
  if (score < 7) return "medium";
  return score < 9 ? "high" : "critical";
}
