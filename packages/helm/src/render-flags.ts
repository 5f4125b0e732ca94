import { stat } from "node:fs/promises";
import { errorMessage, FailedPrecondition, InvalidArgument, Unsupported } from "@boxship/base/errors";
import type { FlagValues } from "@boxship/base/parse-flags";
import { array, bool, str } from "@boxship/kubectl/flags";
import { Template } from "@boxship/template";
import { type Chart, missingDependencies } from "./chart/chart.ts";
import { findChart } from "./chart/find-chart.ts";
import type { Surroundings } from "./command.ts";
import { type Capabilities, defaultCapabilities } from "./engine/capabilities.ts";
import { helmFunctions } from "./functions/sprig-functions.ts";
import type { ArchiveFlags } from "./repository/find-archive.ts";
import { parseVersion } from "./version/version.ts";

/** Where a chart is. */
export const chartFlags = {
  "ca-file": str(),
  "cert-file": str(),
  devel: bool(),
  "insecure-skip-tls-verify": bool(),
  "key-file": str(),
  keyring: str(),
  "pass-credentials": bool(),
  password: str(),
  "plain-http": bool(),
  repo: str(),
  username: str(),
  verify: bool(),
  version: str(),
};

/** Of commands that render. */
export const renderFlags = {
  "dependency-update": bool(),
  "disable-openapi-validation": bool(),
  "enable-dns": bool(),
  "post-renderer": str(),
  "post-renderer-args": array(),
  "render-subchart-notes": bool(),
  "skip-schema-validation": bool(),
};

/** Of commands that name a release. */
export const nameFlags = {
  "generate-name": bool(false, { short: "g" }),
  "name-template": str(),
};

export type ChartFlags = FlagValues<typeof chartFlags>;
export type RenderFlags = FlagValues<typeof renderFlags>;
type NameFlags = FlagValues<typeof nameFlags>;

/** A chart; where that was asked for, with what is missing below its `charts/` fetched before. */
export async function openChart(
  reference: string,
  flags: ArchiveFlags & { readonly "dependency-update"?: boolean },
  surroundings: Surroundings,
): Promise<Chart> {
  const chart = await findChart(reference, flags, surroundings);
  if (flags["dependency-update"] !== true || missingDependencies(chart).length === 0) return chart;
  if ((await stat(reference).catch(() => undefined))?.isDirectory() !== true) return chart;
  const { fetchDependencies } = await import("./commands/dependency-update.ts");
  await fetchDependencies(reference, false, { ...flags, version: "", repo: "" }, surroundings);
  return await findChart(reference, flags, surroundings);
}

/** A name and a chart, or a chart whose release's name is made. */
export function releaseNameOf(
  operands: readonly string[],
  flags: NameFlags,
): { readonly name: string; readonly reference: string } {
  const [first = "", second] = operands;
  if (flags["name-template"] !== "") {
    if (second !== undefined) throw new InvalidArgument("cannot set --name-template and also specify a name");
    const name = templatedName(flags["name-template"]);
    checkReleaseName(name);
    return { name, reference: first };
  }
  if (flags["generate-name"]) {
    if (second !== undefined) throw new InvalidArgument("cannot set --generate-name and also specify a name");
    const base =
      first
        .replace(/\/+$/, "")
        .split("/")
        .at(-1)
        ?.replace(/(-\d+\.\d+.*)?\.tgz$/, "") ?? "chart";
    return { name: `${base}-${Math.trunc(Date.now() / 1000)}`, reference: first };
  }
  if (second === undefined) throw new InvalidArgument("must either provide a name or specify --generate-name");
  checkReleaseName(first);
  return { name: first, reference: second };
}

function templatedName(text: string): string {
  try {
    return new Template("name-template", { functions: helmFunctions, maxSteps: 10_000 }).parse(text).execute({});
  } catch (error) {
    throw new InvalidArgument(`--name-template: ${errorMessage(error)}`, { cause: error });
  }
}

export function checkReleaseName(name: string): void {
  if (name.length <= 53 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(name)) return;
  throw new InvalidArgument(
    `release name ${JSON.stringify(name)} is invalid: it must be a DNS name of at most 53 lower-case letters, digits, '-' and '.'`,
  );
}

/** What templates see of a cluster that is not asked. */
export function givenCapabilities(flags: {
  readonly "api-versions": readonly string[];
  readonly "kube-version": string;
}): Capabilities {
  const wanted = flags["kube-version"];
  const version = wanted === "" ? undefined : parseVersion(wanted);
  if (wanted !== "" && version === undefined)
    throw new InvalidArgument(`invalid kube version ${JSON.stringify(wanted)}`);
  return {
    kubeVersion: wanted === "" ? defaultCapabilities.kubeVersion : `v${wanted.replace(/^v/, "")}`,
    apiVersions: [...defaultCapabilities.apiVersions, ...flags["api-versions"].flatMap((one) => one.split(","))],
  };
}

/** Runs the program of `--post-renderer` on all manifests. @throws FailedPrecondition where it fails or gives nothing */
export function postRenderer(
  flags: RenderFlags,
  { io }: Surroundings,
): ((text: string) => Promise<string>) | undefined {
  const program = flags["post-renderer"];
  if (program === "") {
    if (flags["post-renderer-args"].length > 0)
      throw new InvalidArgument("--post-renderer-args without --post-renderer");
    return undefined;
  }
  const { run } = io;
  if (run === undefined) throw new Unsupported("--post-renderer is not supported where no programs are run");
  return async (text) => {
    const fail = (why: string, cause?: unknown): FailedPrecondition =>
      new FailedPrecondition(`error while running post-renderer ${program}: ${why}`, { cause });
    const ran = await run(program, flags["post-renderer-args"], { text }).catch((error: unknown) => {
      throw fail(errorMessage(error), error);
    });
    if (ran.stderr !== "") io.stderr.write(ran.stderr);
    if (ran.status !== 0) throw fail(`it ended with status ${ran.status}`);
    if (ran.stdout.trim() === "") throw fail("it gave nothing");
    return ran.stdout;
  };
}
