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
  if (single) return await singleReply(asked.find(({ name }) => name === single));
  const excluded = new Set(query.getAll("exclude"));
  const results = await Promise.all(
    asked.map(async (one) => (excluded.has(one.name) ? { name: one.name, ok: true, left: true } : await run(one))),
  );
  const failed = results.some(({ ok }) => !ok);
  if (!failed && !query.has("verbose")) return textReply("ok");
  const lines = results.map(({ name, ok, left }) => {
    if (left) return `[+]${name} excluded: ok`;
    return ok ? `[+]${name} ok` : `[-]${name} failed: reason withheld`;
  });
  const unknown = [...excluded].filter((name) => !asked.some((one) => one.name === name)).sort();
  if (unknown.length > 0) {
    const names = unknown.map((name) => JSON.stringify(name)).join(",");
    lines.push(`warn: some health checks cannot be excluded: no matches for ${names}`);
  }
  return textReply(`${lines.join("\n")}\n${root} check ${failed ? "failed" : "passed"}\n`, failed ? 500 : 200);
}

async function singleReply(check: HealthCheck | undefined): Promise<BytesReply> {
  if (check === undefined) return textReply("404 page not found\n", 404);
  return (await run(check)).ok ? textReply("ok") : textReply("internal server error: reason withheld\n", 500);
}

interface Result {
  readonly name: string;
  readonly ok: boolean;
  /** Whether it was not asked for. */
  readonly left: boolean;
}

async function run({ name, check }: HealthCheck): Promise<Result> {
  try {
    await check();
    return { name, ok: true, left: false };
  } catch {
    return { name, ok: false, left: false };
  }
}
