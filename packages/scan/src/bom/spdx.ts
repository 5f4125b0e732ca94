import { createHash } from "node:crypto";
import { type FoundPackage, type Inventory, packageUrl } from "../package.ts";
import type { BomSubject } from "./subject.ts";

const NONE = "NOASSERTION";
const IMAGE = "SPDXRef-Image";

/** A bill of materials in SPDX 2.3, as JSON. */
export function spdxDocument({ distribution, packages }: Inventory, subject: BomSubject): object {
  const hex = subject.digest.slice(subject.digest.indexOf(":") + 1);
  const described = packages.map((found) => {
    const url = packageUrl(found, distribution);
    return { id: identifier(found, url), found, url };
  });
  return {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name: subject.name,
    documentNamespace: `https://boxship.invalid/spdx/${hex}`,
    creationInfo: { created: subject.created, creators: [`Tool: boxship-${subject.toolVersion}`] },
    packages: [
      {
        name: subject.name,
        SPDXID: IMAGE,
        versionInfo: subject.digest,
        downloadLocation: NONE,
        filesAnalyzed: false,
        primaryPackagePurpose: "CONTAINER",
        checksums: [{ algorithm: "SHA256", checksumValue: hex }],
        licenseConcluded: NONE,
        licenseDeclared: NONE,
        copyrightText: NONE,
      },
      ...described.map(({ id, found, url }) => ({
        name: found.name,
        SPDXID: id,
        versionInfo: found.version,
        downloadLocation: NONE,
        filesAnalyzed: false,
        sourceInfo: `found by ${found.path}`,
        licenseConcluded: NONE,
        licenseDeclared: NONE,
        ...(found.license !== undefined && { licenseComments: `declared as: ${found.license}` }),
        copyrightText: NONE,
        externalRefs: [{ referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: url }],
      })),
    ],
    relationships: [
      { spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES", relatedSpdxElement: IMAGE },
      ...described.map(({ id }) => ({ spdxElementId: IMAGE, relationshipType: "CONTAINS", relatedSpdxElement: id })),
    ],
  };
}

/** Letters, digits, dots and dashes only (SPDX 2.3, 3.2). */
function identifier({ kind, name }: FoundPackage, url: string): string {
  const hash = createHash("sha256").update(url).digest("hex").slice(0, 12);
  return `SPDXRef-Package-${kind}-${name.replace(/[^A-Za-z0-9.-]+/g, "-")}-${hash}`;
}
