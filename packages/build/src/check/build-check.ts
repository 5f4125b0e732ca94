import { BoxshipError } from "@boxship/base";
import { excerptOf, type Stage } from "../language/index.ts";
import type { BuildSession } from "../solver/session.ts";
import type { StageState } from "../solver/state.ts";
import { baseOfConfig, checkOptionsOf, checkRequestOf, violation } from "./call-file.ts";
import { checkContainerfile } from "./check-file.ts";
import { DEFAULT_CHECKS } from "./check-options.ts";
import { Findings } from "./findings.ts";
import { RULES, ruleUrl } from "./rules.ts";
import type { CheckedBase } from "./stage-scope.ts";

/** The check of a file while it is built. */
export interface BuildCheck {
  /** A stage begins with this. */
  begun(stage: Stage, state: StageState, triggers: readonly string[]): void;
  /** It will not begin. */
  failed(stage: Stage, error: unknown): void;
  /** Where findings fail the build: resolves when there are none. */
  readonly gate: Promise<void> | undefined;
  /** Waits until it is over. Never rejects. */
  end(): Promise<void>;
}

/** Warnings with the lines they are about: a file of a thousand findings is not sent a thousand times. */
const MOST_EXCERPTS = 50;

/**
 * Applies the rules beside the build, which tells what stages begin with. Findings are warnings of the session.
 *
 * @returns undefined for Docker's classic builder, which knows no rules
 * @throws InvalidArgument for options that are none
 */
export function startCheck(session: BuildSession): BuildCheck | undefined {
  if (session.request.history !== "buildkit") return undefined;
  const options = checkOptionsOf(session.request, session.file.check);
  const isOff = options.skip === "all" && options.experimental === DEFAULT_CHECKS.experimental;
  if (isOff) return undefined;
  const bases = new Bases();
  const findings = new Findings(options);
  const request = checkRequestOf(session, { allStages: false, baseOf: (stage) => bases.of(stage).promise });
  const checking = checkContainerfile(request, findings).then(() => {
    tell(session, findings);
    const error = violation(findings, options);
    if (error !== undefined) throw error;
  });
  const ended = checking.catch((error: unknown) => {
    // What is wrong with the file the build tells by itself.
    if (!(error instanceof BoxshipError)) session.stop(error);
  });
  return {
    begun: (stage, state, triggers) =>
      bases.of(stage).resolve({
        ...baseOfConfig({ ...state.base, config: state.config, rootfs: { type: "layers", diff_ids: [] } }),
        triggers,
      }),
    failed: (stage, error) => bases.of(stage).reject(error),
    gate: options.error ? checking : undefined,
    end: () => ended,
  };
}

class Bases {
  readonly #known = new Map<Stage, PromiseWithResolvers<CheckedBase>>();

  of(stage: Stage): PromiseWithResolvers<CheckedBase> {
    let base = this.#known.get(stage);
    if (base === undefined) {
      base = Promise.withResolvers<CheckedBase>();
      base.promise.catch(() => {});
      this.#known.set(stage, base);
    }
    return base;
  }
}

function tell(session: BuildSession, { all }: Findings): void {
  for (const [index, { rule, message, place }] of all.entries()) {
    const url = ruleUrl(rule);
    const lines = session.file.sources.get(place.file) ?? [];
    session.warn("", {
      rule,
      message,
      detail: RULES[rule].description,
      ...(url === undefined ? {} : { url }),
      file: place.file,
      lines: place.lines,
      ...(index < MOST_EXCERPTS ? { excerpt: excerptOf(lines, place.lines) } : {}),
    });
  }
}
