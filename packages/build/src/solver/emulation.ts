import { readFileSync } from "node:fs";
import { formatPlatform, hostPlatform, type Platform, platformRank } from "@boxship/oci";

/** What emulators are registered under, where it is not the architecture's own name. */
const EMULATORS: Readonly<Record<string, string>> = {
  "386": "i386",
  amd64: "x86_64",
  arm64: "aarch64",
  loong64: "loongarch64",
  mips64le: "mips64el",
};

/**
 * Whether commands of a platform run on this machine: by themselves, or by an emulator that the kernel opens at its
 * registration (flag `F` of binfmt_misc), as it is not in the container's files.
 *
 * @param registered directory of binfmt_misc. @default the kernel's
 */
export function canRun(platform: Platform, registered = "/proc/sys/fs/binfmt_misc"): boolean {
  const host = hostPlatform();
  if (platform.os !== host.os) return false;
  if (platformRank(host, platform) !== undefined || formatPlatform(host) === formatPlatform(platform)) return true;
  const name = EMULATORS[platform.architecture] ?? platform.architecture;
  try {
    const lines = readFileSync(`${registered}/qemu-${name}`, "latin1").split("\n");
    return lines.includes("enabled") && lines.some((line) => /^flags: .*F/.test(line));
  } catch {
    return false;
  }
}
