import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Surroundings } from "../command.ts";
import type { Part } from "./template.ts";

/** Writes each template's objects to a file of its name below a folder. */
export async function writeManifests(
  folder: string,
  parts: readonly Part[],
  surroundings: Surroundings,
): Promise<void> {
  const texts = new Map<string, string>();
  for (const { source, content } of parts) {
    texts.set(source, `${texts.get(source) ?? ""}---\n# Source: ${source}\n${content}\n`);
  }
  for (const [source, text] of texts) {
    const path = join(folder, source);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
    surroundings.print(`wrote ${path}`);
  }
}
