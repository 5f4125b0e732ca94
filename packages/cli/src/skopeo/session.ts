import type { Platform } from "@boxship/oci";
import type { Context } from "../context.ts";
import type { FlagValues } from "../flags/flag.ts";
import type { globalFlags } from "./flags.ts";
import type { Log } from "./log.ts";

/** What every command of skopeo's has. */
export interface SkopeoSession {
  readonly context: Context;
  readonly global: FlagValues<typeof globalFlags>;
  readonly platform: Platform;
  readonly log: Log;
}

export type SkopeoCommand = (session: SkopeoSession, args: readonly string[]) => Promise<void>;
