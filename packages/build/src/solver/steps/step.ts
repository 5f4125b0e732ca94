import type { StepLayer } from "../../cache/step-cache.ts";
import type { StageState } from "../state.ts";

/** How history words one step. */
export interface StepHistory {
  /** A command as it is; of everything else what follows `#(nop)`. */
  readonly classic: string;
  /** @default false */
  readonly isCommand?: boolean;
  readonly buildkit: string;
}

/** What an instruction is about to do, once its variables are replaced and what it reads is known. */
export interface Step {
  /** All that the result depends on, beside the state it starts from. */
  readonly key: readonly unknown[];
  /** The result does not depend on what is below it. @default false */
  readonly independent?: boolean;
  /** It changes files. */
  readonly makesLayer: boolean;
  /** The state afterwards, but for layer and history. */
  readonly apply: (state: StageState) => StageState;
  readonly history: StepHistory;
  /**
   * Does the work; absent when there is none.
   *
   * @param done is called when the result is durable
   * @returns undefined when nothing was changed
   */
  readonly run?: (done: (layer: StepLayer | undefined) => void) => Promise<StepLayer | undefined>;
}

/** A step that changes the configuration only. */
export function metadataStep(text: string, history: StepHistory, change: Partial<StageState["config"]>): Step {
  return {
    key: [text],
    makesLayer: false,
    history,
    apply: (state) => ({ ...state, config: { ...state.config, ...change } }),
  };
}
