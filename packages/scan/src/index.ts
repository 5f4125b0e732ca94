export { type CycloneDxVersion, cycloneDxDocument } from "./bom/cyclonedx.ts";
export { sarifDocument } from "./bom/sarif.ts";
export { spdxDocument } from "./bom/spdx.ts";
export type { BomSubject } from "./bom/subject.ts";
export { findVulnerabilities, type Vulnerability } from "./match/find-vulnerabilities.ts";
export { SEVERITIES, type Severity } from "./match/osv.ts";
export { type Distribution, type FoundPackage, type Inventory, type PackageKind, packageUrl } from "./package.ts";
export { endScanWorkers, type LayerFile, takeInventory } from "./take-inventory.ts";
