import { type Check, type Finding, type Ran, run } from "./finding.ts";

let running: Promise<Ran> | undefined;

/** Bundles the program, once for all checks that need it; what went wrong. */
export async function bundleFindings(root: string): Promise<readonly Finding[]> {
  running ??= run(root, process.execPath, ["scripts/build.ts", "--bundle"]);
  const { status, output } = await running;
  return status === 0 ? [] : [{ where: "scripts/build.ts", what: output.trimEnd() }];
}

export const bundle: Check = { name: "bundle", run: bundleFindings };
