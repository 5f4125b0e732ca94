import { DEFAULT_PATH } from "../solver/state.ts";

/** What a stage begins with, as far as checks ask. */
export interface CheckedBase {
  /** `NAME=value`, each. */
  readonly env: readonly string[];
  /** It has a shell of its own choice. */
  readonly hasShell: boolean;
  /** `os/architecture`; undefined when nobody knows. */
  readonly platform?: string;
  /** `ONBUILD` of the image. */
  readonly triggers: readonly string[];
}

export const NOTHING: CheckedBase = { env: [], hasShell: false, triggers: [] };

/** What is known at one instruction of a stage. */
export class StageScope {
  /** Variables and arguments that have a value. */
  readonly values: Map<string, string>;
  /** Arguments that were declared. */
  readonly declared: Set<string>;
  hasShell: boolean;
  /** A working directory was set in the file. */
  hasWorkdir: boolean;
  /** Triggers for stages on top of this one. */
  readonly triggers: string[] = [];

  constructor(from: CheckedBase | StageScope) {
    const isStage = from instanceof StageScope;
    this.values = new Map(isStage ? from.values : from.env.map(pair));
    if (!this.values.has("PATH")) this.values.set("PATH", DEFAULT_PATH);
    this.declared = new Set(isStage ? from.declared : []);
    this.hasShell = from.hasShell;
    this.hasWorkdir = isStage && from.hasWorkdir;
  }
}

function pair(entry: string): readonly [string, string] {
  const equals = entry.indexOf("=");
  return equals < 0 ? [entry, ""] : [entry.slice(0, equals), entry.slice(equals + 1)];
}
