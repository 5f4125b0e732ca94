import {
  findVulnerabilities,
  packageUrl,
  SEVERITIES,
  type Severity,
  sarifDocument,
  type Vulnerability,
} from "@boxship/scan";
import { defineCommand } from "../command.ts";
import { Exit, Failure } from "../failure.ts";
import { text } from "../flags/flag.ts";
import { alignTabs } from "../format/tab-writer.ts";
import { deliver, type ScannedImage, scanFlags, scanImage } from "../shared/scan-image.ts";

const FORMATS = ["table", "json", "sarif"];
/** Exit status when something as bad as `--fail-on` says was found. */
const FOUND = 2;

export const command = defineCommand({
  usage: "[OPTIONS] --db PATH IMAGE",
  summary: "Match the packages in an image against an offline vulnerability database in OSV format",
  flags: {
    ...scanFlags,
    db: text("Directory or zip archive of vulnerabilities in OSV format", { hint: "path" }),
    "fail-on": text("End with status 2 for this severity or a worse one", { choices: SEVERITIES, hint: "severity" }),
    format: text("table, json or sarif", { initial: "table", choices: FORMATS }),
    severity: text("Leave out what is less severe", { choices: SEVERITIES, initial: "unknown", hint: "severity" }),
  },
  operands: { min: 1, max: 1 },
  completes: "image",
  async run(context, { flags, operands: [image = ""] }) {
    if (flags.db === "") {
      throw new Failure("--db is needed: nothing is fetched from anywhere", {
        remedy: "name a directory or a zip archive of vulnerabilities in OSV format",
      });
    }
    if (!FORMATS.includes(flags.format)) throw new Failure(`unknown format ${JSON.stringify(flags.format)}`);
    const least = severity(flags.severity);
    const failing = flags["fail-on"] === "" ? undefined : severity(flags["fail-on"]);
    const scanned = await scanImage(context, flags, image);
    const all = await findVulnerabilities({ database: flags.db, inventory: scanned.inventory });
    const shown = all.filter((found) => rank(found.severity) >= rank(least));
    const sarif = flags.format === "sarif";
    await deliver(context, flags, image, {
      text: describe(flags.format, scanned, shown),
      artifactType: sarif ? "application/sarif+json" : "application/vnd.boxship.scan.v1+json",
    });
    if (failing !== undefined && all.some((found) => rank(found.severity) >= rank(failing))) throw new Exit(FOUND);
  },
});

const rank = (value: Severity): number => SEVERITIES.indexOf(value);

function severity(word: string): Severity {
  const found = SEVERITIES.find((known) => known === word.toLowerCase());
  if (found !== undefined) return found;
  throw new Failure(`unknown severity ${JSON.stringify(word)}`, { remedy: `choose one of ${SEVERITIES.join(", ")}` });
}

function describe(format: string, scanned: ScannedImage, found: readonly Vulnerability[]): string {
  if (format === "table") return table(scanned, found);
  return `${JSON.stringify(format === "sarif" ? sarifDocument(found, scanned.subject) : report(scanned, found), undefined, 2)}\n`;
}

function table({ inventory }: ScannedImage, found: readonly Vulnerability[]): string {
  const counts = SEVERITIES.toReversed().map(
    (word) => `${found.filter((one) => one.severity === word).length} ${word}`,
  );
  const summary = `${inventory.packages.length} packages, ${found.length} vulnerabilities: ${counts.join(", ")}\n`;
  if (found.length === 0) return summary;
  const rows = found.map((one) => [
    one.found.name,
    one.found.version,
    one.fixed ?? "-",
    one.severity,
    one.id,
    one.summary.slice(0, 80),
  ]);
  const lines = [["PACKAGE", "VERSION", "FIXED IN", "SEVERITY", "ID", "SUMMARY"], ...rows];
  return `${alignTabs(lines.map((cells) => cells.join("\t")).join("\n"))}\n\n${summary}`;
}

function report({ inventory, subject }: ScannedImage, found: readonly Vulnerability[]): object {
  return {
    image: { name: subject.name, digest: subject.digest, distribution: inventory.distribution ?? null },
    packages: inventory.packages.length,
    vulnerabilities: found.map((one) => ({
      id: one.id,
      aliases: one.aliases,
      severity: one.severity,
      summary: one.summary,
      package: {
        purl: packageUrl(one.found, inventory.distribution),
        name: one.found.name,
        version: one.found.version,
        path: one.found.path,
        layer: one.found.layer,
      },
      fixedIn: one.fixed ?? null,
    })),
  };
}
