import { errorMessage } from "@boxship/base";
import { Refusal } from "../failure.ts";
import type { KustomizeOptions } from "../io.ts";
import type { Session } from "../session.ts";

/** Builds a kustomization with what the surroundings have for it. @returns YAML documents */
export async function buildKustomization(
  { io }: Session,
  path: string,
  options: Omit<KustomizeOptions, "warn">,
): Promise<string> {
  if (io.kustomize === undefined) throw new Refusal("-k is not supported: nothing here builds kustomizations");
  try {
    return await io.kustomize(path, { ...options, warn: (line) => io.stderr.write(`${line}\n`) });
  } catch (error) {
    throw new Refusal(errorMessage(error));
  }
}
