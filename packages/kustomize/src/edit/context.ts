import type { RunProgram } from "../remote/clone.ts";
import type { RunHelm } from "../target/inflate-chart.ts";
import type { KustomizationFile } from "./kustomization-file.ts";

/** What kustomize's commands touch of their surroundings. */
export interface KustomizeIo {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  /** Where `.` is. */
  readonly directory: string;
  /** Starts git. @default repositories are refused */
  readonly run?: RunProgram | undefined;
  /** Helm for charts, or the program that the user names. @default charts are refused */
  readonly helm?: ((command: string | undefined) => RunHelm) | undefined;
}

/** What a change of a kustomization file works with. */
export interface EditContext {
  readonly io: KustomizeIo;
  readonly file: KustomizationFile;
  /** What is not a flag. */
  readonly operands: readonly string[];
}

/** Tells what is no failure. */
export const say = ({ io }: EditContext, line: string): void => {
  io.stderr.write(`${line}\n`);
};
