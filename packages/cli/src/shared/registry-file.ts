import { readFileSync } from "node:fs";
import { errorMessage } from "@boxship/base";
import { parseRegistryFile, type RegistryFile } from "@boxship/registry";
import { Failure } from "../failure.ts";

/** @throws Failure */
export function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new Failure(`cannot read ${path}: ${errorMessage(error)}`);
  }
}

/** The configuration file of a registry; empty: none. @throws Failure, InvalidArgument */
export function readRegistryFile(path: string): RegistryFile {
  return path === "" ? {} : parseRegistryFile(readText(path), path);
}
