import { Failure } from "../failure.ts";
import { absoluteSource } from "./mount.ts";

/** What `--volume` asks for: mounts with a source, and paths that get an anonymous volume. */
export interface VolumeConfig {
  readonly binds: readonly string[];
  readonly anonymous: Readonly<Record<string, Readonly<Record<string, never>>>>;
}

/** Checks `[SOURCE:]TARGET[:OPTIONS]` and returns its source, if it has one. */
function sourceOf(spec: string): string | undefined {
  if (spec === "") throw new Failure("invalid empty volume spec");
  if (spec.length <= 2) return undefined;
  const parts = spec.split(":");
  const invalid = (problem: string): Failure => new Failure(`invalid spec: ${spec}: ${problem}`);
  if (parts.includes("")) throw invalid("empty section between colons");
  if (parts.length > 3) throw invalid("too many colons");
  return parts.length === 1 ? undefined : parts[0];
}

/** @param directory what relative sources are relative to */
export function buildVolumes(specs: readonly string[], directory: string): VolumeConfig {
  const binds: string[] = [];
  const anonymous: Record<string, Readonly<Record<string, never>>> = {};
  for (const spec of new Set(specs)) {
    const source = sourceOf(spec);
    if (source === undefined) anonymous[spec] = {};
    else binds.push(absoluteSource(source, directory) + spec.slice(source.length));
  }
  return { binds, anonymous };
}

/** `--tmpfs PATH[:OPTIONS]` by path. */
export function buildTmpfs(specs: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    specs.map((spec) => {
      const at = spec.indexOf(":");
      return at < 0 ? [spec, ""] : [spec.slice(0, at), spec.slice(at + 1)];
    }),
  );
}
