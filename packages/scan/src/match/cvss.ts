import calculators from "ae-cvss-calculator";
import type { Severity } from "./osv.ts";

const { Cvss2, Cvss3P0, Cvss3P1, Cvss4P0 } = calculators;

const EXPLOITABILITY = ["AV", "AC"];
const IMPACT = ["C", "I", "A"];

/** Versions by how their vectors begin, with what each must say. */
const VERSIONS = [
  { begins: "CVSS:4.0/", metrics: ["AV", "AC", "AT", "PR", "UI", "VC", "VI", "VA", "SC", "SI", "SA"], Vector: Cvss4P0 },
  { begins: "CVSS:3.1/", metrics: [...EXPLOITABILITY, "PR", "UI", "S", ...IMPACT], Vector: Cvss3P1 },
  { begins: "CVSS:3.0/", metrics: [...EXPLOITABILITY, "PR", "UI", "S", ...IMPACT], Vector: Cvss3P0 },
  { begins: "AV:", metrics: [...EXPLOITABILITY, "Au", ...IMPACT], Vector: Cvss2 },
] as const;

/**
 * The score of a vector of CVSS 2.0, 3.0, 3.1 or 4.0 by its base metrics, and by what a vector of 4.0 says of threats and of
 * its environment. Undefined for any other text, also for vectors that leave out what they must have.
 */
export function cvssScore(vector: string): number | undefined {
  const version = VERSIONS.find(({ begins }) => vector.startsWith(begins));
  if (version === undefined) return undefined;
  let read: InstanceType<(typeof VERSIONS)[number]["Vector"]>;
  try {
    read = new version.Vector(vector);
  } catch {
    return undefined;
  }
  // What it does not know it takes for a metric that is not defined.
  const values = new Map(
    read
      .toString()
      .split("/")
      .map((part) => part.split(":", 2) as [string, string]),
  );
  if (version.metrics.some((metric) => !vector.includes(`${metric}:${values.get(metric)}`))) return undefined;
  if (version.metrics.some((metric) => /^(?:X|ND)$/.test(values.get(metric) ?? "X"))) return undefined;
  return read instanceof Cvss4P0 ? read.calculateScores().overall : read.calculateScores().base;
}

/** The rating of a vector, or of a bare score (CVSS 4.0, section 6; 2.0 has nothing that is critical). */
export function cvssSeverity(text: string): Severity {
  const score = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : cvssScore(text);
  if (score === undefined || score === 0) return "unknown";
  if (score < 4) return "low";
  if (score < 7) return "medium";
  return score < 9 || text.startsWith("AV:") ? "high" : "critical";
}
