import type { StreamSession } from "@boxship/engine";

/**
 * Working containers as this API sees them; the `build` package has them. Bodies and answers that are `unknown` here are
 * the builder's own.
 */
export interface WorkingDoor {
  create(body: unknown, signal: AbortSignal): Promise<unknown>;
  list(): readonly unknown[];
  get(ref: string): unknown;
  rename(ref: string, name: string): Promise<void>;
  remove(ref: string): Promise<{ readonly id: string }>;
  configure(ref: string, body: unknown): Promise<unknown>;
  mount(ref: string): Promise<string>;
  unmount(ref: string): Promise<boolean>;
  copy(ref: string, body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<{ readonly digest: string }>;
  commit(ref: string, body: unknown, signal: AbortSignal): Promise<{ readonly id: string }>;
  createRun(ref: string, body: unknown): { readonly id: string };
  startRun(id: string, signal: AbortSignal): Promise<StreamSession>;
  run(id: string): { readonly running: boolean; readonly exitCode?: number };
  resizeRun(id: string, size: { readonly height: number; readonly width: number }): void;
}
