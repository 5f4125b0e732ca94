import { hostPlatform, type Platform } from "@boxship/oci";

/** Arguments that need no `ARG`: they are given to every `RUN`, and never count for the cache or the history. */
export const PROXY_ARGS: ReadonlySet<string> = new Set(
  ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"].flatMap((name) => [name, name.toLowerCase()]),
);

/** Arguments that every file has before its first `FROM`. */
export function platformArgs(target: Platform, stage: string): ReadonlyMap<string, string> {
  const build = hostPlatform();
  return new Map([
    ["BUILDPLATFORM", platformText(build)],
    ["BUILDOS", build.os],
    ["BUILDOSVERSION", build.osVersion ?? ""],
    ["BUILDARCH", build.architecture],
    ["BUILDVARIANT", build.variant ?? ""],
    ["TARGETPLATFORM", platformText(target)],
    ["TARGETOS", target.os],
    ["TARGETOSVERSION", target.osVersion ?? ""],
    ["TARGETARCH", target.architecture],
    ["TARGETVARIANT", target.variant ?? ""],
    ["TARGETSTAGE", stage],
  ]);
}

/** A platform as BuildKit writes it, without the default variant of arm64. */
export function platformText({ os, architecture, variant }: Platform): string {
  return `${os}/${architecture}${variant === undefined || variant === "" ? "" : `/${variant}`}`;
}
