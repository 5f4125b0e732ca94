import { InvalidArgument } from "@boxship/base";
import { compact, type Field } from "./decode.ts";

/** What an image was built for (OCI image spec, image-index.md, "platform"). Names are Go's GOOS and GOARCH. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly osVersion?: string;
  readonly osFeatures?: readonly string[];
}

const ARCHITECTURES: Readonly<Record<string, readonly [architecture: string, variant?: string]>> = {
  i386: ["386"],
  x86_64: ["amd64"],
  "x86-64": ["amd64"],
  aarch64: ["arm64"],
  armhf: ["arm", "v7"],
  armel: ["arm", "v6"],
};

function normalVariant(architecture: string, variant: string): string {
  const v = /^\d/.test(variant) ? `v${variant}` : variant;
  switch (architecture) {
    case "amd64":
      return v === "v1" ? "" : v;
    case "arm64":
      if (v === "v8" || v === "v8.0") return "";
      return v === "v9.0" ? "v9" : v;
    case "arm":
      return v === "" ? "v7" : v;
    case "386":
      return "";
    default:
      return variant;
  }
}

/** The platform in the spelling that two equal platforms share: `aarch64/v8` is `arm64`, `x86_64` is `amd64`. */
export function normalizePlatform(platform: Platform): Platform {
  const os = platform.os.toLowerCase();
  const spelled = platform.architecture.toLowerCase();
  const alias = Object.hasOwn(ARCHITECTURES, spelled) ? ARCHITECTURES[spelled] : undefined;
  const architecture = alias?.[0] ?? spelled;
  const variant = normalVariant(architecture, alias?.[1] ?? (platform.variant ?? "").toLowerCase());
  return {
    os: os === "macos" ? "darwin" : os,
    architecture,
    ...(variant === "" ? {} : { variant }),
    ...(platform.osVersion === undefined || platform.osVersion === "" ? {} : { osVersion: platform.osVersion }),
    ...(platform.osFeatures === undefined || platform.osFeatures.length === 0
      ? {}
      : { osFeatures: platform.osFeatures }),
  };
}

const NODE_ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386", ppc64: "ppc64le" };

/** The platform of this machine. */
export function hostPlatform(): Platform {
  return normalizePlatform({
    os: process.platform,
    architecture: NODE_ARCHITECTURES[process.arch] ?? process.arch,
  });
}

const KNOWN_OS: readonly string[] = ["linux", "windows", "darwin", "freebsd", "netbsd", "openbsd", "solaris", "aix"];
const KNOWN_ARCHITECTURES: readonly string[] =
  "386 amd64 arm arm64 loong64 mips mipsle mips64 mips64le ppc64 ppc64le riscv64 s390x wasm".split(" ");
const COMPONENT = /^[A-Za-z0-9_.-]+$/;

/**
 * Parses `--platform`: `os`, `arch`, `os/arch` or `os/arch/variant`.
 *
 * @throws InvalidArgument
 */
export function parsePlatform(text: string): Platform {
  const parts = text.split("/");
  if (parts.length > 3 || !parts.every((part) => COMPONENT.test(part))) {
    throw new InvalidArgument(`invalid platform ${JSON.stringify(text)}`, {
      subject: { kind: "platform", name: text },
      remedy: "write it as os/architecture or os/architecture/variant, for example linux/arm64",
    });
  }
  const [first = "", second, variant] = parts;
  if (second === undefined) {
    const isOs = KNOWN_OS.includes(first.toLowerCase()) || first.toLowerCase() === "macos";
    const host = hostPlatform();
    const alone = normalizePlatform(isOs ? { ...host, os: first } : { os: host.os, architecture: first });
    if (isOs || KNOWN_ARCHITECTURES.includes(alone.architecture)) return alone;
    throw new InvalidArgument(`${JSON.stringify(text)}: unknown operating system or architecture`, {
      subject: { kind: "platform", name: text },
      remedy: "write it as os/architecture, for example linux/arm64",
    });
  }
  return normalizePlatform({ os: first, architecture: second, ...(variant === undefined ? {} : { variant }) });
}

/** `linux/amd64`, `linux/arm/v7`; arm64 is printed with its default variant, as Docker does. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = normalizePlatform(platform);
  const shown = variant ?? (architecture === "arm64" ? "v8" : undefined);
  return shown === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${shown}`;
}

function variantNumber(variant: string | undefined, absent: number): number {
  const number = Number(variant?.slice(1) ?? absent);
  return Number.isFinite(number) ? number : absent;
}

/** `v<from>` down to `v<to>`, the bare architecture standing for `bare`. */
function descending(architecture: string, from: number, to: number, bare?: number): readonly string[] {
  const steps: string[] = [];
  for (let version = Math.floor(from); version >= to; version--) {
    steps.push(version === bare ? architecture : `${architecture}/v${version}`);
  }
  return steps;
}

/** Architectures that a machine runs, the best first. */
function runnable(wanted: Platform): readonly string[] {
  const { architecture, variant } = wanted;
  const exact = variant === undefined ? architecture : `${architecture}/${variant}`;
  switch (architecture) {
    case "amd64":
      return [exact, ...descending("amd64", variantNumber(variant, 1), 1, 1), "386"];
    case "arm64":
      return [exact, ...descending("arm64", variantNumber(variant, 8), 8, 8), ...descending("arm", 8, 5)];
    case "arm":
      return [exact, ...descending("arm", variantNumber(variant, 7), 5)];
    default:
      return [exact];
  }
}

/**
 * How well an image for `offered` runs on `wanted`: 0 is an exact match, higher numbers are older variants that still
 * run, undefined does not run.
 */
export function platformRank(wanted: Platform, offered: Platform): number | undefined {
  const w = normalizePlatform(wanted);
  const o = normalizePlatform(offered);
  if (w.os !== o.os) return undefined;
  if (w.osVersion !== undefined && o.osVersion !== undefined && w.osVersion !== o.osVersion) return undefined;
  const key = o.variant === undefined ? o.architecture : `${o.architecture}/${o.variant}`;
  const rank = runnable(w).indexOf(key);
  return rank === -1 ? undefined : rank;
}

/** Whether both name the same os, architecture and variant. */
export function samePlatform(a: Platform, b: Platform): boolean {
  return formatPlatform(a) === formatPlatform(b);
}

/** Reads the `platform` object of a descriptor. One that leaves out a required name matches no machine. */
export function readPlatform(field: Field): Platform {
  return compact({
    os: field.get("os").optional((os) => os.string()) ?? "unknown",
    architecture: field.get("architecture").optional((architecture) => architecture.string()) ?? "unknown",
    variant: field.get("variant").optional((variant) => variant.string()),
    osVersion: field.get("os.version").optional((version) => version.string()),
    osFeatures: field.get("os.features").optional((features) => features.strings()),
  });
}

/** The `platform` object as documents spell it. */
export function encodePlatform(platform: Platform): Readonly<Record<string, unknown>> {
  return compact({
    architecture: platform.architecture,
    os: platform.os,
    "os.version": platform.osVersion,
    "os.features": platform.osFeatures,
    variant: platform.variant,
  });
}
