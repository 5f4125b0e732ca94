import { InvalidArgument, Unsupported } from "@boxship/base/errors";
import type { FlagValues } from "@boxship/base/parse-flags";
import { array, bool, str } from "@boxship/kubectl/flags";
import type { Chart } from "./chart/chart.ts";
import { findChart } from "./chart/find-chart.ts";
import type { Surroundings } from "./command.ts";
import { type Capabilities, defaultCapabilities } from "./engine/capabilities.ts";
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
  "api-versions": array({ short: "a" }),
  "dependency-update": bool(),
  description: str(),
  "disable-openapi-validation": bool(),
  "generate-name": bool(false, { short: "g" }),
  "name-template": str(),
  "kube-version": str(),
  "post-renderer": str(),
  "post-renderer-args": array(),
  "render-subchart-notes": bool(),
  "skip-schema-validation": bool(),
};

export type ChartFlags = FlagValues<typeof chartFlags>;
export type RenderFlags = FlagValues<typeof renderFlags>;

export async function openChart(reference: string, flags: ArchiveFlags, surroundings: Surroundings): Promise<Chart> {
  return await findChart(reference, flags, surroundings);
}

/** A name and a chart, or a chart whose release's name is made. */
export function releaseNameOf(
  operands: readonly string[],
  flags: RenderFlags,
): { readonly name: string; readonly reference: string } {
  const [first = "", second] = operands;
  if (flags["name-template"] !== "")
    throw new Unsupported("--name-template is not supported", { remedy: "give the release a name" });
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

export function checkReleaseName(name: string): void {
  if (name.length <= 53 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(name)) return;
  throw new InvalidArgument(
    `release name ${JSON.stringify(name)} is invalid: it must be a DNS name of at most 53 lower-case letters, digits, '-' and '.'`,
  );
}

/** What templates see of a cluster that is not asked. */
export function givenCapabilities(flags: RenderFlags): Capabilities {
  const wanted = flags["kube-version"];
  const version = wanted === "" ? undefined : parseVersion(wanted);
  if (wanted !== "" && version === undefined)
    throw new InvalidArgument(`invalid kube version ${JSON.stringify(wanted)}`);
  return {
    kubeVersion: wanted === "" ? defaultCapabilities.kubeVersion : `v${wanted.replace(/^v/, "")}`,
    apiVersions: [...defaultCapabilities.apiVersions, ...flags["api-versions"].flatMap((one) => one.split(","))],
  };
}

/** Runs the program of `--post-renderer` on all manifests. */
export function postRenderer(
  flags: RenderFlags,
  { io }: Surroundings,
): ((text: string) => Promise<string>) | undefined {
  if (flags["post-renderer"] === "") return undefined;
  void io;
  throw new Unsupported("--post-renderer is not supported", {
    remedy: "pipe the output of 'helm template' through it",
  });
}
