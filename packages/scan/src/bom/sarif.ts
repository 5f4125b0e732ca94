import type { Vulnerability } from "../match/find-vulnerabilities.ts";
import type { BomSubject } from "./subject.ts";

const LEVELS = { unknown: "note", low: "note", medium: "warning", high: "error", critical: "error" } as const;
/** What code hosts sort by. */
const SCORES = { unknown: "0.0", low: "2.0", medium: "5.5", high: "8.0", critical: "9.5" } as const;

/** Findings as SARIF 2.1.0, for tools that show them beside code. */
export function sarifDocument(vulnerabilities: readonly Vulnerability[], subject: BomSubject): object {
  const rules = new Map(vulnerabilities.map((vulnerability) => [vulnerability.id, vulnerability]));
  const ids = [...rules.keys()];
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: {
            name: "boxship",
            version: subject.toolVersion,
            rules: [...rules.values()].map(({ id, summary, severity, aliases }) => ({
              id,
              shortDescription: { text: summary || id },
              helpUri: `https://osv.dev/vulnerability/${encodeURIComponent(id)}`,
              properties: { "security-severity": SCORES[severity], tags: ["security", ...aliases] },
            })),
          },
        },
        results: vulnerabilities.map(({ id, severity, summary, found, fixed }) => ({
          ruleId: id,
          ruleIndex: ids.indexOf(id),
          level: LEVELS[severity],
          message: {
            text: `${found.name} ${found.version}: ${summary || id}${fixed === undefined ? "" : ` (fixed in ${fixed})`}`,
          },
          locations: [
            {
              physicalLocation: { artifactLocation: { uri: relativeUri(found.path) } },
              logicalLocations: [{ fullyQualifiedName: `${subject.name}:${found.path}`, kind: "package" }],
            },
          ],
          partialFingerprints: { package: `${id}/${found.kind}/${found.name}/${found.version}` },
        })),
      },
    ],
  };
}

/** A path as the reference of RFC 3986 that it is in SARIF. */
function relativeUri(path: string): string {
  return path.replace(/^\//, "").split("/").map(encodeURIComponent).join("/");
}
