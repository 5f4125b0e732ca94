import { chainIds, type ImageRecord } from "@boxship/oci";
import type { StepLayer } from "../cache/step-cache.ts";
import type { StageInstruction } from "../language/index.ts";
import type { BuildSession } from "./session.ts";
import type { StageState } from "./state.ts";

/** A step as an image's history has it. */
export interface PastStep {
  readonly created: string;
  readonly layer?: StepLayer;
}

/** Finds the images that the classic builder's `--cache-from` names; those that are not here make a warning. */
export function openHistories(session: BuildSession): readonly ImageRecord[] {
  const { cacheFrom = [], noCache } = session.request;
  if (noCache === true) return [];
  return cacheFrom.flatMap((source) => {
    if (source.kind !== "image") return [];
    const record = session.parts.engine.images.find(source.reference);
    if (record !== undefined) return [record];
    const message = `cache ${source.reference} is not used: there is no such image here`;
    session.warnings.push({ rule: "CacheImport", message });
    return [];
  });
}

/**
 * A step that an image was made with after the very same ones, by the words of its history. As Docker's classic builder
 * words them they name the content of files that were copied, and build arguments.
 */
export function pastStep(
  session: BuildSession,
  instruction: StageInstruction,
  state: StageState,
  createdBy: string,
): PastStep | undefined {
  if (session.histories.length === 0 || !isTold(instruction)) return undefined;
  for (const record of session.histories) {
    const found = nextIn(session, record, state, createdBy);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether history says all that the step depends on. */
function isTold(instruction: StageInstruction): boolean {
  if (instruction.kind === "run") return instruction.mounts.length === 0;
  return instruction.kind !== "add" || !instruction.sources.some((source) => /^[a-z+]+:\/\/|^git@/.test(source));
}

function nextIn(
  session: BuildSession,
  record: ImageRecord,
  state: StageState,
  createdBy: string,
): PastStep | undefined {
  const { history = [], rootfs } = record.config;
  const next = history[state.history.length];
  if (next?.created_by !== createdBy || next.created === undefined) return undefined;
  if (session.epoch !== undefined && Date.parse(next.created) > session.epoch * 1000) return undefined;
  const same = state.history.every(
    ({ created, created_by: words }, index) =>
      history[index]?.created_by === words && history[index]?.created === created,
  );
  const { length } = state.layers;
  if (!same || !state.layers.every(({ diffId }, index) => rootfs.diff_ids[index] === diffId)) return undefined;
  if (next.empty_layer === true) return { created: next.created };
  const [descriptor, diffId] = [record.layers[length], rootfs.diff_ids[length]];
  const chainId = chainIds(rootfs.diff_ids)[length];
  if (descriptor === undefined || diffId === undefined || chainId === undefined) return undefined;
  const size = session.parts.engine.images.layerSize(chainId);
  return { created: next.created, layer: { descriptor, diffId, chainId, size } };
}
