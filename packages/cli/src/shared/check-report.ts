import { type Context, print } from "../context.ts";
import { Failure } from "../failure.ts";
import { humanSize } from "../format/units.ts";

/** What a registry says of what it keeps. */
export interface RegistryReport {
  readonly repositories: number;
  readonly manifests: number;
  readonly tags: number;
  readonly blobs: number;
  readonly bytes: number;
  readonly orphans: number;
  readonly problems: readonly {
    readonly repository: string;
    readonly name: string;
    readonly problem: string;
    readonly repair?: string | undefined;
  }[];
}

export interface Problem {
  readonly about: string;
  readonly problem: string;
  readonly repair?: string | undefined;
}

export function registryLine({ repositories, manifests, tags, blobs, bytes }: RegistryReport): string {
  return `Registry: ${repositories} repositories, ${manifests} manifests, ${tags} tags, ${blobs} blobs, ${humanSize(bytes)}`;
}

/** @throws Failure where something stays wrong */
export function printProblems(context: Context, problems: readonly Problem[], repair: boolean): void {
  for (const { about, problem, repair: remedy } of problems) {
    const then =
      remedy === undefined ? "cannot be mended here; pull or push it again" : repair ? remedy : `--repair: ${remedy}`;
    print(context, `${about}: ${problem} (${then})`);
  }
  const left = problems.filter((problem) => !repair || problem.repair === undefined).length;
  if (left > 0) throw new Failure(`${left} of ${problems.length} problems are there`);
  print(context, problems.length === 0 ? "Everything is as it should be" : `${problems.length} problems were mended`);
}
