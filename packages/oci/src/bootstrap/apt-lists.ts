import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "@boxship/base";

/**
 * When the newest of the machine's package lists of a release was made, in seconds since the epoch; undefined when it has
 * none.
 *
 * @param codename e.g. `bookworm`, whose updates count, too
 */
export async function newestList(codename: string, directory = "/var/lib/apt/lists"): Promise<number | undefined> {
  const names = await readdir(directory).catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  });
  const dates: number[] = [];
  for (const name of names.filter((candidate) => /_(?:In)?Release$/.test(candidate))) {
    const text = await readFile(join(directory, name), "utf8");
    const suite = /^Codename: *(\S+)$/m.exec(text)?.[1] ?? "";
    const date = Date.parse(/^Date: *(.+)$/m.exec(text)?.[1] ?? "");
    if ((suite === codename || suite.startsWith(`${codename}-`)) && !Number.isNaN(date)) dates.push(date / 1000);
  }
  return dates.length === 0 ? undefined : Math.max(...dates);
}
