import { createHash } from "node:crypto";
import { type Inventory, packageUrl } from "../package.ts";
import type { BomSubject } from "./subject.ts";

export type CycloneDxVersion = "1.5" | "1.6";

/** A bill of materials in CycloneDX, as JSON. */
export function cycloneDxDocument(
  { distribution, packages }: Inventory,
  subject: BomSubject,
  specVersion: CycloneDxVersion,
): object {
  const image = `image:${subject.digest}`;
  const system = distribution && {
    type: "operating-system",
    "bom-ref": `os:${distribution.id}`,
    name: distribution.id,
    version: distribution.version,
    description: distribution.name,
  };
  return {
    $schema: `http://cyclonedx.org/schema/bom-${specVersion}.schema.json`,
    bomFormat: "CycloneDX",
    specVersion,
    serialNumber: `urn:uuid:${uuidOf(subject.digest)}`,
    version: 1,
    metadata: {
      timestamp: subject.created,
      tools: { components: [{ type: "application", name: "boxship", version: subject.toolVersion }] },
      component: { type: "container", "bom-ref": image, name: subject.name, version: subject.digest },
    },
    components: [
      ...(system === undefined ? [] : [system]),
      ...packages.map((found) => {
        const purl = packageUrl(found, distribution);
        return {
          type: "library",
          "bom-ref": purl,
          name: found.name,
          version: found.version,
          ...(found.license !== undefined && { licenses: [{ license: { name: found.license } }] }),
          purl,
          properties: [
            { name: "boxship:path", value: found.path },
            { name: "boxship:layer", value: found.layer },
          ],
        };
      }),
    ],
  };
}

/** The same for the same image (RFC 9562, version 8). */
function uuidOf(text: string): string {
  const bytes = createHash("sha256").update(text).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
