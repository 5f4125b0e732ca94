import {
  chainIds,
  digestOf,
  encodeImageConfig,
  type ImageConfig,
  type ImageHistory,
  type ImageRuntimeConfig,
  type StoredLayer,
} from "@boxship/oci";
import { variableIn } from "./growing.ts";

/** A stage as it is after one of its instructions. Never changed: each instruction makes the next. */
export interface StageState {
  /** All that led here, as a cache sees it. */
  readonly key: string;
  /** Bottom first. */
  readonly layers: readonly StoredLayer[];
  /** Platform and other fields of the document that builds leave alone. */
  readonly base: Omit<ImageConfig, "rootfs" | "config" | "history" | "created">;
  readonly config: ImageRuntimeConfig;
  readonly history: readonly ImageHistory[];
  /** When the last step was made, RFC 3339; undefined for nothing at all. */
  readonly created: string | undefined;
  /** `ARG`s that were declared in this stage, in order. Undefined: no value. */
  readonly args: ReadonlyMap<string, string | undefined>;
  /** `CMD` was given in this stage, so `ENTRYPOINT` leaves it alone. */
  readonly commandGiven: boolean;
  /** The image that it is, while nothing was done to it. */
  readonly image?: string;
  /** What its stage began with: counts, and the id of that image unless it was nothing. */
  readonly begun?: { readonly layers: number; readonly history: number; readonly image: string | undefined };
}

export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
export const DEFAULT_SHELL: readonly string[] = ["/bin/sh", "-c"];

/** Chain id of the file system; undefined when there are no layers. */
export function chainOf(layers: readonly StoredLayer[]): string | undefined {
  return chainIds(layers.map(({ diffId }) => diffId)).at(-1);
}

/**
 * The document of an image of this stage, without its layers.
 *
 * @param more fields that are not the specification's
 */
export function imageDocument(state: StageState, more: object = {}): Omit<ImageConfig, "rootfs"> {
  return {
    ...state.base,
    ...more,
    ...(state.created === undefined ? {} : { created: state.created }),
    config: state.config,
    history: state.history,
  };
}

/** The id that an image of this stage has. */
export function imageIdOf(state: StageState): string {
  if (state.image !== undefined) return state.image;
  const rootfs = { type: "layers" as const, diff_ids: state.layers.map(({ diffId }) => diffId) };
  return digestOf(encodeImageConfig({ ...imageDocument(state), rootfs }));
}

/** `NAME=value` entries as a map. */
export function envMap(entries: readonly string[] = []): Map<string, string> {
  return new Map(
    entries.map((entry) => {
      const equals = entry.indexOf("=");
      return equals === -1 ? [entry, ""] : [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
}

/** What variables in an instruction mean: the stage's environment goes before its arguments. */
export function variablesOf(state: StageState): (name: string) => string | undefined {
  const { config, args } = state;
  return (name) => variableIn(config.Env ?? [], name) ?? args.get(name);
}
