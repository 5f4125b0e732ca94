import { InvalidArgument } from "@boxship/base/errors";
import { type Dict, getKey, isDict, textOf } from "../functions/go-values.ts";
import { parseVersion } from "../version/version.ts";
import type { Dependency, Maintainer, Metadata } from "./chart.ts";

const text = (raw: Dict, key: string): string => {
  const value = getKey(raw, key);
  return value === undefined || value === null ? "" : textOf(value);
};

const list = (raw: Dict, key: string): readonly unknown[] => {
  const value = getKey(raw, key);
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
};

/** @param raw what `Chart.yaml` or `requirements.yaml` holds */
export function readDependencies(raw: Dict): readonly Dependency[] {
  return list(raw, "dependencies")
    .filter(isDict)
    .map((one) => ({
      name: text(one, "name"),
      version: text(one, "version"),
      repository: text(one, "repository"),
      condition: text(one, "condition"),
      tags: list(one, "tags").map(textOf),
      importValues: list(one, "import-values"),
      alias: text(one, "alias"),
    }));
}

export function readMetadata(raw: Dict): Metadata {
  return {
    // The first charts did not say it.
    apiVersion: text(raw, "apiVersion") || "v1",
    name: text(raw, "name"),
    version: text(raw, "version"),
    type: text(raw, "type"),
    kubeVersion: text(raw, "kubeVersion"),
    appVersion: text(raw, "appVersion"),
    description: text(raw, "description"),
    deprecated: getKey(raw, "deprecated") === true,
    dependencies: readDependencies(raw),
    maintainers: list(raw, "maintainers")
      .filter(isDict)
      .map((one) => one as Maintainer),
    raw,
  };
}

/** What makes a chart none. @throws InvalidArgument in Helm's words */
export function validateMetadata(metadata: Metadata): void {
  const fail = (problem: string): never => {
    throw new InvalidArgument(`validation: ${problem}`);
  };
  if (metadata.name === "") fail("chart.metadata.name is required");
  if (metadata.name.includes("/") || metadata.name === "." || metadata.name === "..") {
    fail(`chart.metadata.name ${JSON.stringify(metadata.name)} is invalid`);
  }
  if (metadata.version === "") fail("chart.metadata.version is required");
  if (parseVersion(metadata.version) === undefined) {
    fail(`chart.metadata.version ${JSON.stringify(metadata.version)} is invalid`);
  }
  if (!["", "application", "library"].includes(metadata.type)) {
    fail("chart.metadata.type must be application or library");
  }
  const seen = new Set<string>();
  for (const { name, alias } of metadata.dependencies) {
    if (alias !== "" && !/^[A-Za-z0-9_-]+$/.test(alias)) {
      fail(`dependency ${JSON.stringify(name)} has disallowed characters in the alias`);
    }
    const key = alias || name;
    if (seen.has(key)) fail(`more than one dependency with name or alias ${JSON.stringify(key)}`);
    seen.add(key);
  }
}
