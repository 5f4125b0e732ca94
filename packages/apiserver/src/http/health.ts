import { type BytesReply, textReply } from "./reply.ts";

/** One thing that health depends on. */
export interface HealthCheck {
  readonly name: string;
  /** Whether it is only asked for `/readyz`. @default false */
  readonly onlyReadiness?: boolean;
  /** @throws what is wrong */
  readonly check: () => void | Promise<void>;
}

/** `/healthz`, `/livez` and `/readyz`, with `?verbose` and `?exclude=NAME`; undefined for other paths. */
export async function healthReply(
  path: string,
  query: URLSearchParams,
  checks: readonly HealthCheck[],
): Promise<BytesReply | undefined> {
  const [, root = "", single] = path.split("/");
  if (root !== "healthz" && root !== "livez" && root !== "readyz") return undefined;
  const asked = checks.filter(({ onlyReadiness = false }) => root === "readyz" || !onlyReadiness);
  const excluded = new Set(query.getAll("exclude"));
  const chosen =
    single === undefined || single === ""
      ? asked.filter(({ name }) => !excluded.has(name))
      : asked.filter(({ name }) => name === single);
  if (single && chosen.length === 0) return textReply("404 page not found\n", 404);
  const results = await Promise.all(chosen.map(run));
  const failed = results.some(({ ok }) => !ok);
  if (!failed && !query.has("verbose")) return textReply("ok");
  const lines = results.map(({ name, ok }) => (ok ? `[+]${name} ok` : `[-]${name} failed: reason withheld`));
  return textReply(`${lines.join("\n")}\n${root} check ${failed ? "failed" : "passed"}\n`, failed ? 500 : 200);
}

async function run({ name, check }: HealthCheck): Promise<{ readonly name: string; readonly ok: boolean }> {
  try {
    await check();
    return { name, ok: true };
  } catch {
    return { name, ok: false };
  }
}
