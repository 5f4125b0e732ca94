import { badRequest, type Json, parseJson } from "@boxship/api";
import { WorkerPool } from "@boxship/base";
import { checkShape } from "./check-shape.ts";
import type { YamlRead, YamlTask, YamlWritten } from "./yaml-worker.ts";

const pool = new WorkerPool({ name: "api-yaml", workers: 1, source: new URL("./yaml-worker.ts", import.meta.url) });

/** One YAML document as JSON, read in another thread. @throws BadRequest, RequestEntityTooLarge */
export async function parseLargeYaml(text: string): Promise<Json> {
  const read = await pool.run<YamlRead>({ read: text } satisfies YamlTask);
  if ("problem" in read) throw badRequest(read.problem);
  checkShape(read.json);
  return parseJson(read.json);
}

/** A JSON body as YAML, written in another thread. */
export async function writeLargeYaml(parts: readonly Uint8Array[]): Promise<Uint8Array> {
  const whole = new Uint8Array(Buffer.concat(parts));
  return await pool.run<YamlWritten>({ write: whole } satisfies YamlTask, { transfer: [whole.buffer] });
}
