import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemCode } from "@boxship/base";
import type { OciSpec } from "../spec/oci.ts";
import type { RuntimeBinary } from "./context.ts";
import type { Layout } from "./layout.ts";

/** Where crun takes a compiled filter instead of compiling the profile; it keeps to the profile's flags. */
const ANNOTATION = "run.oci.seccomp_bpf_data";
const MOST_KEPT = 32;

/**
 * Compiled seccomp filters by profile. Compiling Docker's profile is more than half of what crun does to create a
 * container (11 of 18 ms), and the result only depends on the profile and the binary. crun leaves the compiled filter in
 * a container's state, from where it is learned; the next container with the same profile gets it by annotation. The
 * profile stays in the spec, so that a crun without that annotation compiles it as ever.
 */
export class SeccompFilters {
  readonly #directory: string;
  readonly #layout: Layout;
  readonly #known = new Map<string, string>();

  constructor(layout: Layout) {
    this.#layout = layout;
    this.#directory = join(layout.runDir, "seccomp");
  }

  /** The spec with its filter, when that is known, and the way to learn it from the created container otherwise. */
  apply(runtime: RuntimeBinary, id: string, spec: OciSpec): { readonly spec: OciSpec; readonly learn: () => void } {
    const profile = spec.linux.seccomp;
    if (runtime.kind !== "crun" || profile === undefined || profile.listenerPath !== undefined) {
      return { spec, learn: () => {} };
    }
    if (spec.annotations?.[ANNOTATION] !== undefined) return { spec, learn: () => {} };
    const key = filterKey(
      runtime,
      JSON.stringify(profile, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value)),
    );
    const filter = this.#known.get(key) ?? this.#load(key);
    if (filter === undefined) return { spec, learn: () => this.#learn(key, runtime, id) };
    return { spec: { ...spec, annotations: { ...spec.annotations, [ANNOTATION]: filter } }, learn: () => {} };
  }

  #load(key: string): string | undefined {
    const filter = readFilter(join(this.#directory, key));
    return filter === undefined ? undefined : this.#keep(key, filter);
  }

  #learn(key: string, runtime: RuntimeBinary, id: string): void {
    const path = join(this.#layout.stateRoot(runtime.name), id, "seccomp.bpf");
    const filter = readFilter(path);
    if (filter === undefined) return;
    this.#keep(key, filter);
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const file = join(this.#directory, key);
    writeFileSync(`${file}.${id}`, Buffer.from(filter, "base64"), { mode: 0o600 });
    renameSync(`${file}.${id}`, file);
  }

  #keep(key: string, filter: string): string {
    const oldest = this.#known.keys().next();
    if (this.#known.size >= MOST_KEPT && !oldest.done) this.#known.delete(oldest.value);
    this.#known.set(key, filter);
    return filter;
  }
}

function filterKey(runtime: RuntimeBinary, profile: string): string {
  const { mtimeMs, size, ino } = statSync(runtime.path);
  return createHash("sha256").update(`${runtime.path} ${mtimeMs} ${size} ${ino} ${profile}`).digest("hex");
}

const INSTRUCTION = 8;

function readFilter(path: string): string | undefined {
  try {
    const bytes = readFileSync(path);
    return bytes.length > 0 && bytes.length % INSTRUCTION === 0 ? bytes.toString("base64") : undefined;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
